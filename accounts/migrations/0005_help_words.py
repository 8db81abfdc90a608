from django.db import migrations

# The first version of each wording; later ones are published by staff.
WORDS = [
    (
        "help_received",
        ("已收到您的求助：{what}", "【先享后付】已收到您关于「{what}」的求助，我们会尽快处理。进展：{link}"),
        ("We have your request about {what}", "We have received what you told us about {what}. How it goes: {link}"),
    ),
    (
        "help_answered",
        ("「{what}」有新回复", "【先享后付】您关于「{what}」的求助有新回复：{reason} 查看与回复：{link}"),
        ("An answer about {what}", "There is an answer about {what}: {reason} To read and reply: {link}"),
    ),
    (
        "help_decided",
        ("「{what}」已处理", "【先享后付】您关于「{what}」的求助已有处理结果：{reason} 详情：{link}"),
        ("Decided: {what}", "What you asked about {what} was decided: {reason} Details: {link}"),
    ),
    (
        "plan_granted",
        ("分期安排已生效", "【先享后付】「{what}」的分期安排已生效：{reason}。总额不变，按期付款期间不产生逾期费。各期日期：{link}"),
        (
            "Your plan counts from now on",
            "Your plan for {what} counts from now on: {reason}. The sum stays the same, and no late fee is added while"
            " you keep to it. All dates: {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{2000 + number:012x}", key, language, subject, body)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_inbox_read")]
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
