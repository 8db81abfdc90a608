"""Notices to people about deductions, refunds, disputes and returns. They are written here and sent later."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts import notices
from accounts.models import Notice
from accounts.notice_rules import Phrase, Value
from accounts.notices import NewNotice
from billing import queries
from billing.labels import first_label, localized_label
from billing.models import Deduction, DeductionLine, Dispute, Instrument, Refund, Return
from billing.planning import FailureClass
from kernel.ids import public
from kernel.money import Money
from orders.models import Obligation, Order

SEVERAL_MERCHANTS = Phrase({"zh-hans": "多家商户", "en": "several merchants"})
NO_FURTHER_ATTEMPT = Phrase(
    {
        "zh-hans": "不会再自动扣款，请主动付款。",
        "en": "There will be no further automatic deduction; please pay yourself.",
    }
)
ORDER_PAUSED = Phrase(
    {
        "zh-hans": "订单已暂停，暂停期间不会扣款。",
        "en": "The order is paused; nothing is deducted meanwhile.",
    }
)
_NEXT_ATTEMPT = {"zh-hans": "将于 {when} 再次扣款。", "en": "We will try again on {when}."}
_SEVERAL_ORDERS = {"zh-hans": "{first} 等 {count} 笔", "en": "{first} and others ({count} in total)"}
NO_LONGER_OWED = {"zh-hans": "这笔款项无需再付。", "en": "You no longer owe it."}
REFUNDED = {"zh-hans": "已原路退回。", "en": "It was refunded to the original payment method."}
REDUCED_AND_REFUNDED = {
    "zh-hans": "其中 {lowered} 无需再付，{back} 已原路退回。",
    "en": "You no longer owe {lowered}, and {back} was refunded to the original payment method.",
}
NOT_REFUNDED = {"zh-hans": "款项未能退回。", "en": "Nothing could be refunded."}
FAILURE_REASONS: Mapping[str, Phrase] = {
    "insufficient_funds": Phrase({"zh-hans": "余额不足", "en": "insufficient funds"}),
    "account_closed": Phrase({"zh-hans": "账户已注销", "en": "the account is closed"}),
    "account_unknown": Phrase({"zh-hans": "银行查无此账户", "en": "account not found at the bank"}),
    "wrong_amount": Phrase(
        {"zh-hans": "银行扣款金额有误，已更正", "en": "the bank deducted a wrong amount, which was corrected"}
    ),
    "no_instrument": Phrase({"zh-hans": "没有可用的扣款方式", "en": "no usable payment method"}),
    "above_limits": Phrase({"zh-hans": "超出您设置的扣款限额", "en": "it exceeds the spending limits you set"}),
}
CLASS_REASONS: Mapping[str, Phrase] = {
    FailureClass.HARD: Phrase(
        {"zh-hans": "该扣款方式已不可用", "en": "the bank no longer accepts deductions from this account"}
    ),
    FailureClass.SOFT: Phrase({"zh-hans": "银行本次未予扣款", "en": "declined by the bank"}),
    FailureClass.TECHNICAL: Phrase(
        {"zh-hans": "银行系统故障，未扣款", "en": "bank system unavailable, nothing was deducted"}
    ),
    FailureClass.NOT_SENT: Phrase({"zh-hans": "请求未送达银行，未扣款", "en": "the request did not reach the bank"}),
}
#: Why the bank returned a debit.
DISPUTE_REASONS: Mapping[str, Phrase] = {
    "no_funds": FAILURE_REASONS["insufficient_funds"],
    "account_closed": FAILURE_REASONS["account_closed"],
    "not_authorised": Phrase(
        {"zh-hans": "您向银行表示未授权这笔扣款", "en": "you told the bank that you had not authorized it"}
    ),
}
OTHER_DISPUTE_REASON = Phrase({"zh-hans": "银行未说明更多原因", "en": "the bank gave no further reason"})
#: Failures of the channel, not of the person: the notice is only in the inbox.
CHANNEL_FAULTS = (FailureClass.TECHNICAL, FailureClass.NOT_SENT)
_A_DAY = timedelta(days=1)


def notify_deducted(lines: Sequence[DeductionLine], *, at: datetime) -> None:
    """Notify of successful deductions, one notice each."""
    _write_deduction_notices(lines, "debit_succeeded", {}, at=at)


def notify_deduction_failed(
    lines: Sequence[DeductionLine], plans: Mapping[UUID, Sequence[Mapping[str, Any]]], *, at: datetime
) -> None:
    """Notify of failed deductions, with the reason and the next attempt. One notice each."""
    next_attempts: dict[UUID, Value] = {}
    for line in lines:
        plan = plans.get(line.id, line.obligation.plan)
        earliest = next_attempts.get(line.deduction_id)
        if plan and line.obligation.paused_at is None:
            when = datetime.fromisoformat(plan[0]["at"])
            next_attempts[line.deduction_id] = min(when, earliest) if isinstance(earliest, datetime) else when
        elif plan and earliest is None:
            next_attempts[line.deduction_id] = ORDER_PAUSED
    _write_deduction_notices(
        lines, "debit_failed", next_attempts, notified_orders=_orders_notified_today(lines, at=at), at=at
    )


def notify_uncollectable(rows: Sequence[Obligation], reason: str, *, at: datetime) -> None:
    """Notify of due obligations that could not be deducted: no usable instrument, or above the spending limits."""
    if not rows:
        return
    orders = Order.objects.select_related("merchant").in_bulk([row.order_id for row in rows])
    usable = queries.instruments_of(row.person_id for row in rows)
    values: dict[str, Value] = {"reason": FAILURE_REASONS[reason], "next": NO_FURTHER_ATTEMPT}
    items = [
        NewNotice(
            person_id=row.person_id,
            stage="debit_failed",
            about=row.id,
            episode=notices.episode_of(at),
            due_at=at,
            values=notice_values(orders[row.order_id], row.owed, when=at)
            | values
            | {"instrument": first_label(usable.get(row.person_id, []))},
            order_id=row.order_id,
        )
        for row in rows
    ]
    notices.write_notices(items, realm_id=rows[0].realm_id, at=at)


def notify_refund_ended(refund: Refund, *, at: datetime) -> None:
    """Notify of a refund's end: what is no longer owed and what was refunded, or that nothing was."""
    is_refunded = refund.state == Refund.State.SUCCEEDED
    order = Order.objects.select_related("merchant").get(pk=refund.order_id)
    item = NewNotice(
        person_id=refund.person_id,
        stage="refund_succeeded" if is_refunded else "refund_failed",
        about=refund.id,
        due_at=at,
        values=notice_values(order, refund.amount, when=at) | {"how": _refund_result(refund)},
        order_id=order.id,
    )
    notices.write_notices([item], realm_id=refund.realm_id, at=at)


def notify_dispute_opened(dispute: Dispute, *, at: datetime) -> None:
    """Notify of a debit that the bank returned: its orders are owed again. One notice for each order."""
    reason = DISPUTE_REASONS.get(dispute.code, OTHER_DISPUTE_REASON)
    rows = dispute.lines.select_related("order__merchant").order_by("id")
    totals: dict[UUID, Money] = {}
    orders: dict[UUID, Order] = {}
    for row in rows:
        orders[row.order_id] = row.order
        totals[row.order_id] = totals.get(row.order_id, Money(0, dispute.currency)) + Money(
            row.amount_minor, dispute.currency
        )
    items = [
        NewNotice(
            person_id=dispute.person_id,
            stage="debit_returned",
            about=dispute.id,
            episode=public("ord", key),
            due_at=at,
            values=notice_values(orders[key], amount, when=at) | {"reason": reason},
            order_id=key,
        )
        for key, amount in totals.items()
    ]
    notices.write_notices(items, realm_id=dispute.realm_id, at=at)


def notify_return_refused(row: Return, *, at: datetime) -> None:
    """Notify that the merchant refused a return: staff review it, and nothing is collected yet."""
    _write_return_notice(row, "return_refused", row.amount, row.because, at=at)


def notify_return_denied(row: Return, amount: Money, because: str, *, owes: bool, at: datetime) -> None:
    """Notify that staff found nothing was returned: what was refunded is owed again, or the open debt continues."""
    still_owes = row.order.obligations.filter(state__in=Obligation.PAYABLE).exists()
    _write_return_notice(
        row, "return_denied" if owes else "return_ended" if still_owes else "return_over", amount, because, at=at
    )


def notify_return_borne(row: Return, amount: Money, because: str, *, at: datetime) -> None:
    """Notify that staff found neither side liable: the person keeps the refund."""
    _write_return_notice(row, "return_borne", amount, because, at=at)


def _write_return_notice(row: Return, stage: str, amount: Money, reason: str, *, at: datetime) -> None:
    order = Order.objects.select_related("merchant").get(pk=row.order_id)
    item = NewNotice(
        person_id=row.person_id,
        stage=stage,
        about=row.id,
        due_at=at,
        values=notice_values(order, amount, when=at) | {"reason": reason},
        order_id=order.id,
    )
    notices.write_notices([item], realm_id=row.realm_id, at=at)


def _refund_result(refund: Refund) -> Phrase:
    """What a refund did: reduced what is owed, paid money back, both, or neither."""
    lowered, back = (Money(minor, refund.currency) for minor in (refund.lowered_minor, refund.returned_minor))
    if lowered and back:
        return Phrase(REDUCED_AND_REFUNDED, {"lowered": lowered, "back": back})
    return Phrase(NO_LONGER_OWED if lowered else REFUNDED if back else NOT_REFUNDED)


def notice_values(order: Order, amount: Money, *, when: datetime) -> dict[str, Value]:
    """The values that the text of every stage may use."""
    return {
        "merchant": order.merchant.name,
        "what": order.title,
        "amount": amount,
        "when": when,
        "link": f"{settings.BASE_URL}/orders/{public('ord', order.id)}",
    }


def _orders_notified_today(lines: Sequence[DeductionLine], *, at: datetime) -> set[UUID]:
    """Orders collected on request of the merchant whose person was notified of a failure in the last day.

    However often a merchant tries, a person gets one message a day about it; further notices are only in the inbox.
    """
    order_ids = {line.order_id for line in lines if line.deduction.purpose == Deduction.Purpose.COLLECT}
    if not order_ids:
        return set()
    people = {line.deduction.person_id for line in lines}
    recent = Notice.objects.filter(
        person_id__in=people, order_id__in=order_ids, stage="debit_failed", at__gt=at - _A_DAY
    )
    return {key for key in recent.values_list("order_id", flat=True) if key}


def _write_deduction_notices(
    lines: Sequence[DeductionLine],
    stage: str,
    next_attempts: Mapping[UUID, Value],
    *,
    notified_orders: Collection[UUID] = (),
    at: datetime,
) -> None:
    by_deduction: dict[UUID, list[DeductionLine]] = {}
    for line in lines:
        by_deduction.setdefault(line.deduction_id, []).append(line)
    if not by_deduction:
        return
    used = {line.deduction.instrument_id for line in lines}
    labels = dict(Instrument.objects.filter(pk__in=used).values_list("id", "label"))
    items = [
        _build_item(
            group,
            stage,
            localized_label(labels[group[0].deduction.instrument_id]),
            next_attempts.get(key),
            notified_orders=notified_orders,
            at=at,
        )
        for key, group in by_deduction.items()
    ]
    notices.write_notices(items, realm_id=lines[0].deduction.realm_id, at=at)


def _build_item(
    lines: Sequence[DeductionLine],
    stage: str,
    label: Value,
    next_attempt: Value | None,
    *,
    notified_orders: Collection[UUID],
    at: datetime,
) -> NewNotice:
    deduction, orders = lines[0].deduction, {line.order_id: line.order for line in lines}
    first = lines[0].order
    values = notice_values(first, deduction.amount, when=at) | {
        "instrument": label,
        "reason": FAILURE_REASONS.get(deduction.failure_code)
        or CLASS_REASONS.get(deduction.failure_class, CLASS_REASONS[FailureClass.SOFT]),
        "next": Phrase(_NEXT_ATTEMPT, {"when": next_attempt})
        if isinstance(next_attempt, datetime)
        else next_attempt or NO_FURTHER_ATTEMPT,
    }
    if len(orders) > 1:
        values["what"] = Phrase(_SEVERAL_ORDERS, {"first": first.title, "count": str(len(orders))})
        values["link"] = f"{settings.BASE_URL}/orders/"
    if len({order.merchant_id for order in orders.values()}) > 1:
        values["merchant"] = SEVERAL_MERCHANTS
    return NewNotice(
        person_id=deduction.person_id,
        stage=stage,
        about=deduction.id,
        due_at=at,
        values=values,
        order_id=first.id if len(orders) == 1 else None,
        quiet=_is_channel_fault(deduction) or not orders.keys() - set(notified_orders),
    )


def _is_channel_fault(deduction: Deduction) -> bool:
    return deduction.failure_class in CHANNEL_FAULTS
