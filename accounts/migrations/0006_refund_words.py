from django.db import migrations

WORDS = [
    (
        "refund_succeeded",
        ("已退款 {amount}", "【先享后付】{merchant}「{what}」已退款 {amount}。{how}详情：{link}"),
        ("{amount} was refunded", "{merchant} refunded {amount} of {what}. {how} Details: {link}"),
    ),
    (
        "refund_failed",
        ("退款未成功 {amount}", "【先享后付】{merchant}「{what}」{amount} 的退款未全部完成。{how}商户已获通知，详情：{link}"),
        (
            "A refund of {amount} did not go through",
            "{merchant} wanted to refund {amount} of {what}, and not all of it went through. {how}"
            " They know about it. Details: {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{7000 + number:012x}", key, language, subject, body)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    """The first words of what a person hears of a refund."""

    dependencies = [("accounts", "0005_help_words")]
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
