from django.db import migrations

WORDS = [
    (
        "debit_returned",
        (
            "{amount} 的扣款已被银行退回",
            "【先享后付】{merchant}「{what}」{amount} 的扣款已被银行退回（{reason}），这笔钱需要重新支付。"
            "我们不会自动再扣，请您主动付款：{link}",
        ),
        (
            "The bank took back {amount}",
            "The bank took back the {amount} that was paid for {what} at {merchant}: {reason}. It is owed again."
            " We will not try again by ourselves; please pay: {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{11000 + number:012x}", key, language, subject, body)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    """The first words of what a person hears when a bank takes a debit back."""

    dependencies = [("accounts", "0010_leaving_words")]
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
