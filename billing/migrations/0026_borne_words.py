from django.db import migrations

WORDS = [
    (
        "return_borne",
        ("退货“{what}”已核实：您无需付款", "【先享后付】您的退货“{what}”已核实：{reason}。先行退给您的 {amount} 由我们承担，您无需付款。详情：{link}"),
        (
            "Your return of “{what}”: nothing to pay",
            "We have looked into your return of “{what}”: {reason}. We bear the {amount} that went back to you ahead of it; you"
            " owe nothing for it. More: {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{26000 + number:012x}", key, language, subject, body)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    """The first words of what a person hears when we bear a return that its merchant did not take."""

    dependencies = [("accounts", "0014_return_words"), ("billing", "0025_ahead_of_a_return")]
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
