from django.db import migrations

# The first version of each wording; later ones are published by staff.
WORDS = [
    (
        "signed_in",
        ("新设备登录：{what}", "【先享后付】您的账户于{when}在新设备登录：{what}。如非本人操作，请立即让该设备退出登录：{link}"),
        (
            "A new sign-in: {what}",
            "Somebody signed in to your account with {what}, on {when}. If it was not you, sign it out at once: {link}",
        ),
    ),
    (
        "phone_changed",
        ("手机号已更换", "【先享后付】您账户的手机号已于{when}更换：{what}。如非本人操作，请立即联系客服，并检查设置：{link}"),
        (
            "Your phone number was changed",
            "The phone number of your account was changed on {when}: {what}. If it was not you, call us at once, and"
            " look at your settings: {link}",
        ),
    ),
    (
        "mail_changed",
        ("通知邮箱已变更", "【先享后付】您账户的通知邮箱已于{when}变更：{what}。如非本人操作，请立即联系客服，并检查设置：{link}"),
        (
            "Your mail address was changed",
            "The mail address of your account was changed on {when}: {what}. If it was not you, call us at once, and"
            " look at your settings: {link}",
        ),
    ),
    (
        "second_factor",
        ("登录保护已变更", "【先享后付】您账户的登录保护已于{when}变更：{what}。如非本人操作，请立即联系客服，并检查设置：{link}"),
        (
            "The second step of your sign-in was changed",
            "How your account is protected was changed on {when}: {what}. If it was not you, call us at once, and look"
            " at your settings: {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{4000 + number:012x}", key, language, subject, body)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_refund_words")]
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
