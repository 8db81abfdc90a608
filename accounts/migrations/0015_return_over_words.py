from django.db import migrations

WORDS = [
    (
        "return_over",
        ("退货“{what}”未成立", "【先享后付】经核实，您的退货“{what}”（{amount}）未成立：{reason}。此订单您没有欠款。详情：{link}"),
        (
            "Your return of “{what}” was not accepted",
            "We have looked into your return of “{what}” ({amount}), and it does not stand: {reason}. You owe nothing of this"
            " order. More: {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{15000 + number:012x}", key, language, subject, body)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    """The first words of what a person hears when their return does not stand, and they owe nothing all the same."""

    dependencies = [("accounts", "0014_return_words")]
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
