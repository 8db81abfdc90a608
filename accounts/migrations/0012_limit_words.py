from django.db import migrations

WORDS = [
    (
        "limit_changed",
        ("可用额度已调整为 {amount}", "【先享后付】您的额度已于{when}调整为 {amount}（原为 {before}）。已有欠款不受影响。如有疑问可查看并申诉：{link}"),
        (
            "Your limit is {amount} now",
            "On {when} your limit was changed to {amount}; it was {before}. What you owe already stays as it is."
            " To see why, or to object: {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{12000 + number:012x}", key, language, subject, body)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    """The first words of what a person hears when colleagues change their limit."""

    dependencies = [("accounts", "0011_dispute_words")]
    operations = [
        migrations.RunSQL(
            [
                (
                    "INSERT INTO accounts_noticetemplate (id, key, language, version, subject, body, by, at)"
                    " VALUES (%s, %s, %s, 1, %s, %s, 'system:migration', now())",
                    list(row),
                )
                for row in ROWS
            ],
            migrations.RunSQL.noop,
        ),
    ]
