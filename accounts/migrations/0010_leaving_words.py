from django.db import migrations

# The first version of each wording; later ones are published by staff.
WORDS = [
    (
        "erasure_asked",
        ("已申请注销", "【先享后付】您的账户已于{when}申请注销并删除数据，{what}。在此之前可随时撤回；如非本人操作，请立即撤回：{link}"),
        (
            "You asked for your data to be erased",
            "On {when} somebody asked for your account and data to be erased; {what}. Until then it can be taken back."
            " If it was not you, take it back at once: {link}",
        ),
    ),
    (
        "copy_asked",
        ("已申请数据副本", "【先享后付】您的账户已于{when}申请数据副本，{what}。如非本人操作，请立即让其他设备退出登录：{link}"),
        (
            "A copy of your data was asked for",
            "On {when} somebody asked for a copy of your data; {what}. If it was not you, sign out other devices at once:"
            " {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{6000 + number:012x}", key, language, subject, body)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_erasable_words")]
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
