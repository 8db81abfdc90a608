from django.db import migrations

_DIFFICULT = ("如有困难，可在详情页申请分期。", "If you have difficulty paying, you can apply for a payment plan there.")
_NO_ORDERS = ("付清前不能下新订单。", "You can place new orders again once it is paid.")
_OVERDUE = {
    1: _DIFFICULT,
    3: _DIFFICULT,
    7: _NO_ORDERS,
    15: _NO_ORDERS,
    30: ("如暂时无力付清，可在详情页申请分期。", "If you cannot pay it all now, you can apply for a payment plan there."),
}
_NOT_YOU = ("如非本人操作，请立即联系客服，并检查设置：{link}", "If this was not you, contact customer support immediately and check your settings: {link}")
WORDS = [
    (
        "debit_planned",
        ("即将扣款 {amount}", "【先享后付】{merchant}“{what}”{amount} 将于 {when} 从 {instrument} 自动扣款。提前付款、改期或暂停：{link}"),
        (
            "{amount} will be deducted on {when}",
            "{amount} for {what} ({merchant}) will be deducted from {instrument} on {when}."
            " To pay early, change the date or pause it: {link}",
        ),
    ),
    (
        "due_in_3_days",
        ("{amount} 将于 {when} 到期", "【先享后付】{merchant}“{what}”{amount} 将于 {when} 到期。查看与付款：{link}"),
        ("{amount} is due on {when}", "{amount} for {what} ({merchant}) is due on {when}. View and pay: {link}"),
    ),
    (
        "due_in_1_day",
        ("{amount} 将于 {when} 到期", "【先享后付】提醒：{merchant}“{what}”{amount} 将于 {when} 到期。查看与付款：{link}"),
        (
            "{amount} is due on {when}",
            "Reminder: {amount} for {what} ({merchant}) is due on {when}. View and pay: {link}",
        ),
    ),
    (
        "debit_succeeded",
        ("已扣款 {amount}", "【先享后付】{merchant}“{what}”{amount} 已于 {when} 从 {instrument} 扣款成功。详情：{link}"),
        (
            "{amount} was deducted",
            "{amount} for {what} ({merchant}) was deducted from {instrument} on {when}. Details: {link}",
        ),
    ),
    (
        "debit_failed",
        ("扣款失败 {amount}", "【先享后付】{merchant}“{what}”{amount} 从 {instrument} 扣款失败：{reason}。{next}查看与付款：{link}"),
        (
            "{amount} could not be deducted",
            "{amount} for {what} ({merchant}) could not be deducted from {instrument}: {reason}. {next} View and pay: {link}",
        ),
    ),
    *(
        (
            f"overdue_{day}",
            ("{amount} 已逾期", f"【先享后付】{{merchant}}“{{what}}”{{amount}} 应于 {{when}} 付清，现已逾期。{zh}查看与付款：{{link}}"),
            (
                "{amount} is overdue",
                f"{{amount}} for {{what}} ({{merchant}}) was due on {{when}} and is overdue. {en} View and pay: {{link}}",
            ),
        )
        for day, (zh, en) in _OVERDUE.items()
    ),
    (
        "debit_returned",
        (
            "{amount} 的扣款已被银行退回",
            "【先享后付】{merchant}“{what}”{amount} 的扣款已被银行退回（{reason}），需要重新支付。"
            "我们不会自动扣款，请您主动付款：{link}",
        ),
        (
            "Your bank returned {amount}",
            "Your bank returned the {amount} paid for {what} at {merchant}: {reason}. It is due again."
            " We will not deduct it automatically; please pay here: {link}",
        ),
    ),
    (
        "refund_succeeded",
        ("已退款 {amount}", "【先享后付】{merchant}“{what}”已退款 {amount}。{how}详情：{link}"),
        ("{amount} was refunded", "{merchant} refunded {amount} for {what}. {how} Details: {link}"),
    ),
    (
        "refund_failed",
        ("退款未全部完成 {amount}", "【先享后付】{merchant}“{what}”{amount} 的退款未全部完成。{how}商户已获通知。详情：{link}"),
        (
            "Refund of {amount} not completed",
            "{merchant}'s refund of {amount} for {what} was not fully completed. {how}"
            " The merchant has been notified. Details: {link}",
        ),
    ),
    (
        "help_received",
        ("已收到您的求助：{what}", "【先享后付】已收到您关于“{what}”的求助，我们会尽快处理。查看进展：{link}"),
        (
            "We have received your request about {what}",
            "We have received your request about {what} and will reply as soon as possible. View progress: {link}",
        ),
    ),
    (
        "help_answered",
        ("“{what}”有新回复", "【先享后付】您关于“{what}”的求助有新回复：{reason} 查看与回复：{link}"),
        ("New reply about {what}", "There is a new reply to your request about {what}: {reason} View and reply: {link}"),
    ),
    (
        "help_decided",
        ("“{what}”已处理", "【先享后付】您关于“{what}”的求助已有处理结果：{reason} 详情：{link}"),
        ("Decision about {what}", "Your request about {what} has been decided: {reason} Details: {link}"),
    ),
    (
        "plan_granted",
        ("分期已生效", "【先享后付】“{what}”的分期已生效：{reason}。总额不变，按期付款期间不产生逾期费。各期日期：{link}"),
        (
            "Your payment plan is in effect",
            "Your payment plan for {what} is in effect: {reason}. The total stays the same, and no late fee is added as long"
            " as you pay on time. All dates: {link}",
        ),
    ),
    (
        "signed_in",
        ("新设备登录：{what}", "【先享后付】您的账号于 {when} 在新设备登录：{what}。如非本人操作，请立即将该设备退出登录：{link}"),
        (
            "New sign-in: {what}",
            "Your account was signed in to from a new device on {when}: {what}."
            " If this was not you, sign that device out immediately: {link}",
        ),
    ),
    *(
        (
            key,
            (f"{zh}已变更", f"【先享后付】您账号的{zh}已于 {{when}} 变更：{{what}}。{_NOT_YOU[0]}"),
            (f"Your {en} changed", f"Your account's {en} changed on {{when}}: {{what}}. {_NOT_YOU[1]}"),
        )
        for key, zh, en in (
            ("phone_changed", "手机号", "phone number was"),
            ("mail_changed", "通知邮箱", "email address was"),
            ("second_factor", "安全设置", "security settings were"),
        )
    ),
    (
        "erasure_asked",
        ("已申请注销", "【先享后付】您的账号已于 {when} 申请注销并删除数据，{what}。在此之前可随时撤回；如非本人操作，请立即撤回：{link}"),
        (
            "Erasure of your data was requested",
            "Erasure of your account and data was requested on {when}; {what}. You can cancel the request until then."
            " If this was not you, cancel it immediately: {link}",
        ),
    ),
    (
        "copy_asked",
        ("已申请数据副本", "【先享后付】您的账号已于 {when} 申请数据副本，{what}。如非本人操作，请立即将其他设备退出登录：{link}"),
        (
            "A copy of your data was requested",
            "A copy of your data was requested on {when}; {what}. If this was not you, sign out other devices immediately:"
            " {link}",
        ),
    ),
    (
        "limit_changed",
        ("额度已调整为 {amount}", "【先享后付】您的额度已于 {when} 调整为 {amount}（原为 {before}），已有欠款不受影响。查看原因或提出异议：{link}"),
        (
            "Your credit limit is now {amount}",
            "Your credit limit was changed from {before} to {amount} on {when}. Existing debts are not affected."
            " To see why or raise an objection: {link}",
        ),
    ),
    (
        "return_refused",
        (
            "{merchant} 未接受退货“{what}”",
            "【先享后付】{merchant} 未接受您的退货“{what}”（{amount}）：{reason}。我们会核实并决定，在此之前您无需付款。详情：{link}",
        ),
        (
            "{merchant} did not accept your return of “{what}”",
            "{merchant} did not accept your return of “{what}” ({amount}): {reason}. We will review it and decide; you do not"
            " need to pay until then. Details: {link}",
        ),
    ),
    (
        "return_denied",
        (
            "退货“{what}”未成立，请退还 {amount}",
            "【先享后付】经核实，您的退货“{what}”未成立：{reason}。先行退给您的 {amount} 需要退还，不会自动扣款，请您主动付款：{link}",
        ),
        (
            "Your return of “{what}” was not accepted: {amount} to pay",
            "We reviewed your return of “{what}” and could not accept it: {reason}. The early refund of {amount} has to be"
            " paid back. It is not deducted automatically; please pay here: {link}",
        ),
    ),
    (
        "return_ended",
        ("退货“{what}”未成立", "【先享后付】经核实，您的退货“{what}”（{amount}）未成立：{reason}。原有欠款照常处理，各日期相应顺延。详情：{link}"),
        (
            "Your return of “{what}” was not accepted",
            "We reviewed your return of “{what}” ({amount}) and could not accept it: {reason}. Your amount due continues as"
            " before, with its dates moved back accordingly. Details: {link}",
        ),
    ),
    (
        "return_over",
        ("退货“{what}”未成立", "【先享后付】经核实，您的退货“{what}”（{amount}）未成立：{reason}。此订单您没有欠款。详情：{link}"),
        (
            "Your return of “{what}” was not accepted",
            "We reviewed your return of “{what}” ({amount}) and could not accept it: {reason}. You owe nothing for this"
            " order. Details: {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{18000 + number:012x}", key, language, subject, body, key, language)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    """A second version of the first words, in the standard terms. Where colleagues have published their own, those stay."""

    dependencies = [("accounts", "0017_enrolment_codes")]
    operations = [
        migrations.RunSQL(
            [
                (
                    "INSERT INTO accounts_noticetemplate (id, key, language, version, subject, body, by, at)"
                    " SELECT %s, %s, %s, 2, %s, %s, 'system:migration', now() WHERE NOT EXISTS"
                    " (SELECT FROM accounts_noticetemplate WHERE key = %s AND language = %s AND version > 1)",
                    list(row),
                )
                for row in ROWS
            ],
            migrations.RunSQL.noop,
        ),
    ]
