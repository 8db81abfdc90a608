from django.db import migrations

_DIFFICULT = (
    "如有困难，可在详情页申请分期。",
    "If you have difficulty paying, you can apply for a payment plan on the order's page.",
)
_CANNOT_PAY = (
    "如暂时无力付清，可在详情页申请分期。",
    "If you cannot pay it all now, you can apply for a payment plan on the order's page.",
)
WORDS = [
    (
        "debit_planned",
        ("即将扣款 {amount}", "【先享后付】{merchant}“{what}”{amount} {plan}。提前付款、改期，或反馈问题：{link}"),
        (
            "{amount} is to be deducted on {when}",
            "{amount} for {what} ({merchant}) {plan}. To pay early, change the date or report a problem: {link}",
        ),
    ),
    (
        "limit_changed",
        (
            "额度已调整为 {amount}",
            "【先享后付】您的额度已于 {when} 调整为 {amount}（原为 {before}），已有欠款不受影响。查看额度：{link}",
        ),
        (
            "Your credit limit is now {amount}",
            "Your credit limit was changed from {before} to {amount} on {when}. Existing debts are not affected."
            " View your limit: {link}",
        ),
    ),
    *(
        (
            f"overdue_{day}",
            (
                "{amount} 已逾期",
                f"【先享后付】{{merchant}}“{{what}}”{{amount}} 应于 {{when}} 付清，现已逾期。{zh}查看与付款：{{link}}",
            ),
            (
                "{amount} is overdue",
                f"{{amount}} for {{what}} ({{merchant}}) was due on {{when}} and is overdue. {en} View and pay: {{link}}",
            ),
        )
        for day, (zh, en) in ((1, _DIFFICULT), (3, _DIFFICULT), (30, _CANNOT_PAY))
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{20000 + number:012x}", subject, body, key, language)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    """A next version of texts that promised what their links do not offer. What staff have published stays."""

    dependencies = [("accounts", "0020_notes_can_be_redacted")]
    operations = [
        migrations.RunSQL(
            [
                (
                    "INSERT INTO accounts_noticetemplate (id, key, language, version, subject, body, by, at)"
                    " SELECT %s, key, language, max(version) + 1, %s, %s, 'system:migration', now()"
                    " FROM accounts_noticetemplate WHERE key = %s AND language = %s"
                    " GROUP BY key, language HAVING bool_and(by = 'system:migration')",
                    list(row),
                )
                for row in ROWS
            ],
            migrations.RunSQL.noop,
        ),
    ]
