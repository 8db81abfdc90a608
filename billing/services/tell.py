"""What people are told of their money: in plain words, beside the fact. Notices are written, never sent, here."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts import inbox
from accounts.inbox import Item
from accounts.models import Notice
from accounts.wording import Phrase, Value
from billing.labels import named
from billing.models import Deduction, DeductionLine, Dispute, Instrument, Refund, Return
from billing.planning import Kind
from kernel.ids import public
from kernel.money import Money
from orders.models import Obligation, Order

SEVERAL_MERCHANTS = Phrase({"zh-hans": "多家商户", "en": "several merchants"})
NOTHING_TO_TAKE_FROM = Phrase({"zh-hans": "（尚无可用的扣款方式）", "en": "(no payment method yet)"})
NEVER_AGAIN = Phrase(
    {
        "zh-hans": "不会再自动扣款，请主动付款。",
        "en": "There will be no further automatic deduction; please pay yourself.",
    }
)
STANDS_STILL = Phrase(
    {
        "zh-hans": "订单已暂停，暂停期间不会扣款。",
        "en": "The order is paused; nothing is deducted meanwhile.",
    }
)
_AGAIN = {"zh-hans": "将于 {when} 再次扣款。", "en": "We will try again on {when}."}
_MORE = {"zh-hans": "{first} 等 {count} 笔", "en": "{first} and others ({count} in total)"}
LESS = {"zh-hans": "这笔款项无需再付。", "en": "You no longer owe it."}
BACK = {"zh-hans": "已原路退回。", "en": "It was refunded to the original payment method."}
LESS_AND_BACK = {
    "zh-hans": "其中 {lowered} 无需再付，{back} 已原路退回。",
    "en": "You no longer owe {lowered}, and {back} was refunded to the original payment method.",
}
NOT_BACK = {"zh-hans": "款项未能退回。", "en": "Nothing could be refunded."}
REASONS: Mapping[str, Phrase] = {
    "insufficient_funds": Phrase({"zh-hans": "余额不足", "en": "insufficient funds"}),
    "account_closed": Phrase({"zh-hans": "账户已注销", "en": "the account is closed"}),
    "account_unknown": Phrase({"zh-hans": "银行查无此账户", "en": "account not found at the bank"}),
    "wrong_amount": Phrase(
        {"zh-hans": "银行扣款金额有误，已更正", "en": "the bank deducted a wrong amount, which was corrected"}
    ),
    "no_instrument": Phrase({"zh-hans": "没有可用的扣款方式", "en": "no usable payment method"}),
    "above_limits": Phrase({"zh-hans": "超出您设置的扣款限额", "en": "it exceeds the spending limits you set"}),
}
OTHERWISE: Mapping[str, Phrase] = {
    Kind.HARD: Phrase(
        {"zh-hans": "该扣款方式已不可用", "en": "the bank no longer accepts deductions from this account"}
    ),
    Kind.SOFT: Phrase({"zh-hans": "银行本次未予扣款", "en": "declined by the bank"}),
    Kind.TECHNICAL: Phrase({"zh-hans": "银行系统故障，未扣款", "en": "bank system unavailable, nothing was deducted"}),
    Kind.NOT_SENT: Phrase({"zh-hans": "请求未送达银行，未扣款", "en": "the request did not reach the bank"}),
}
#: Why the bank took a debit back.
BACK_AT_BANK: Mapping[str, Phrase] = {
    "no_funds": REASONS["insufficient_funds"],
    "account_closed": REASONS["account_closed"],
    "not_authorised": Phrase(
        {"zh-hans": "您向银行表示未授权这笔扣款", "en": "you told the bank that you had not authorized it"}
    ),
}
BACK_OTHERWISE = Phrase({"zh-hans": "银行未说明更多原因", "en": "the bank gave no further reason"})
#: Trouble that is nobody's of the person's: it stands in the inbox, and disturbs nobody.
OURS = (Kind.TECHNICAL, Kind.NOT_SENT)
_A_DAY = timedelta(days=1)


def succeeded(lines: Sequence[DeductionLine], *, at: datetime) -> None:
    """Money was taken: one notice a deduction."""
    _tell_of(lines, "debit_succeeded", {}, at=at)


def failed(lines: Sequence[DeductionLine], plans: Mapping[UUID, Sequence[Mapping[str, Any]]], *, at: datetime) -> None:
    """Nothing was taken: why, and when it is tried again. One notice a deduction."""
    nexts: dict[UUID, Value] = {}
    for line in lines:
        coming = plans.get(line.id, line.obligation.plan)
        known = nexts.get(line.deduction_id)
        if coming and line.obligation.paused_at is None:
            when = datetime.fromisoformat(coming[0]["at"])
            nexts[line.deduction_id] = min(when, known) if isinstance(known, datetime) else when
        elif coming and known is None:
            nexts[line.deduction_id] = STANDS_STILL
    _tell_of(lines, "debit_failed", nexts, known=_told_today(lines, at=at), at=at)


def stuck(rows: Sequence[Obligation], why: str, *, at: datetime) -> None:
    """What was due could not even be asked for: the person has nothing to take it from, or their limits forbid it."""
    if not rows:
        return
    orders = Order.objects.select_related("merchant").in_bulk([row.order_id for row in rows])
    more: dict[str, Value] = {
        "instrument": NOTHING_TO_TAKE_FROM,
        "reason": REASONS[why],
        "next": NEVER_AGAIN,
    }
    items = [
        Item(
            person_id=row.person_id,
            stage="debit_failed",
            about=row.id,
            episode=inbox.episode_of(at),
            due_at=at,
            values=values_of(orders[row.order_id], row.owed, when=at) | more,
            order_id=row.order_id,
        )
        for row in rows
    ]
    inbox.write_notices(items, realm_id=rows[0].realm_id, at=at)


def refunded(refund: Refund, *, at: datetime) -> None:
    """A refund is over: what is no longer owed and what came back, or that it did not come back."""
    succeeded = refund.state == Refund.State.SUCCEEDED
    order = Order.objects.select_related("merchant").get(pk=refund.order_id)
    item = Item(
        person_id=refund.person_id,
        stage="refund_succeeded" if succeeded else "refund_failed",
        about=refund.id,
        due_at=at,
        values=values_of(order, refund.amount, when=at) | {"how": _how(refund)},
        order_id=order.id,
    )
    inbox.write_notices([item], realm_id=refund.realm_id, at=at)


def taken_back(dispute: Dispute, *, at: datetime) -> None:
    """A debit was taken back by the bank: what it was for is owed again. One notice for each order of it."""
    reason = BACK_AT_BANK.get(dispute.code, BACK_OTHERWISE)
    rows = dispute.lines.select_related("order__merchant").order_by("id")
    sums: dict[UUID, Money] = {}
    of: dict[UUID, Order] = {}
    for row in rows:
        of[row.order_id] = row.order
        sums[row.order_id] = sums.get(row.order_id, Money(0, dispute.currency)) + Money(
            row.amount_minor, dispute.currency
        )
    items = [
        Item(
            person_id=dispute.person_id,
            stage="debit_returned",
            about=dispute.id,
            episode=public("ord", key),
            due_at=at,
            values=values_of(of[key], amount, when=at) | {"reason": reason},
            order_id=key,
        )
        for key, amount in sums.items()
    ]
    inbox.write_notices(items, realm_id=dispute.realm_id, at=at)


def return_refused(row: Return, *, at: datetime) -> None:
    """The merchant does not take the goods back: colleagues look into it, and nothing is asked of the person yet."""
    _of_return(row, "return_refused", row.amount, row.because, at=at)


def return_denied(row: Return, amount: Money, because: str, *, owes: bool, at: datetime) -> None:
    """Colleagues found that nothing came back: what had gone back is owed again, or the debt, if any, goes on."""
    left = row.order.obligations.filter(state__in=Obligation.PAYABLE).exists()
    _of_return(row, "return_denied" if owes else "return_ended" if left else "return_over", amount, because, at=at)


def return_borne(row: Return, amount: Money, because: str, *, at: datetime) -> None:
    """Colleagues found that neither is to blame: what went back stays with the person."""
    _of_return(row, "return_borne", amount, because, at=at)


def _of_return(row: Return, stage: str, amount: Money, reason: str, *, at: datetime) -> None:
    order = Order.objects.select_related("merchant").get(pk=row.order_id)
    item = Item(
        person_id=row.person_id,
        stage=stage,
        about=row.id,
        due_at=at,
        values=values_of(order, amount, when=at) | {"reason": reason},
        order_id=order.id,
    )
    inbox.write_notices([item], realm_id=row.realm_id, at=at)


def _how(refund: Refund) -> Phrase:
    """Where the money of a refund is."""
    lowered, back = (Money(minor, refund.currency) for minor in (refund.lowered_minor, refund.returned_minor))
    if lowered and back:
        return Phrase(LESS_AND_BACK, {"lowered": lowered, "back": back})
    return Phrase(LESS if lowered else BACK if back else NOT_BACK)


def values_of(order: Order, amount: Money, *, when: datetime) -> dict[str, Value]:
    """What the words of every stage may name."""
    return {
        "merchant": order.merchant.name,
        "what": order.title,
        "amount": amount,
        "when": when,
        "link": f"{settings.BASE_URL}/orders/{public('ord', order.id)}",
    }


def _told_today(lines: Sequence[DeductionLine], *, at: datetime) -> set[UUID]:
    """Of the orders that were asked for at once, those of which a failure was told in the last day.

    However often a merchant tries, a person's phone rings once a day about it; the rest stands in the inbox.
    """
    asked = {line.order_id for line in lines if line.deduction.purpose == Deduction.Purpose.COLLECT}
    if not asked:
        return set()
    people = {line.deduction.person_id for line in lines}
    told = Notice.objects.filter(person_id__in=people, order_id__in=asked, stage="debit_failed", at__gt=at - _A_DAY)
    return {key for key in told.values_list("order_id", flat=True) if key}


def _tell_of(
    lines: Sequence[DeductionLine],
    stage: str,
    nexts: Mapping[UUID, Value],
    *,
    known: Collection[UUID] = (),
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
        _item(group, stage, named(labels[group[0].deduction.instrument_id]), nexts.get(key), known=known, at=at)
        for key, group in by_deduction.items()
    ]
    inbox.write_notices(items, realm_id=lines[0].deduction.realm_id, at=at)


def _item(
    lines: Sequence[DeductionLine],
    stage: str,
    label: Value,
    again: Value | None,
    *,
    known: Collection[UUID],
    at: datetime,
) -> Item:
    deduction, orders = lines[0].deduction, {line.order_id: line.order for line in lines}
    first = lines[0].order
    values = values_of(first, deduction.amount, when=at) | {
        "instrument": label,
        "reason": REASONS.get(deduction.failure_code) or OTHERWISE.get(deduction.failure_class, OTHERWISE[Kind.SOFT]),
        "next": Phrase(_AGAIN, {"when": again}) if isinstance(again, datetime) else again or NEVER_AGAIN,
    }
    if len(orders) > 1:
        values["what"] = Phrase(_MORE, {"first": first.title, "count": str(len(orders))})
        values["link"] = f"{settings.BASE_URL}/orders/"
    if len({order.merchant_id for order in orders.values()}) > 1:
        values["merchant"] = SEVERAL_MERCHANTS
    return Item(
        person_id=deduction.person_id,
        stage=stage,
        about=deduction.id,
        due_at=at,
        values=values,
        order_id=first.id if len(orders) == 1 else None,
        quiet=_nobodys_fault(deduction) or not orders.keys() - set(known),
    )


def _nobodys_fault(deduction: Deduction) -> bool:
    return deduction.failure_class in OURS
