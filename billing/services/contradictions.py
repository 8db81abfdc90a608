"""Reports that contradict a booked transaction without moving money: a case for staff, once for each contradiction."""

from datetime import datetime
from typing import Any

from billing.models import Case, Deduction, Payout, RefundPart
from kernel.money import Money

#: Kind of the case of a transaction that is booked, and that the channel then reports with another amount.
OTHER_AMOUNT_REPORTED = "other_amount_reported"
#: Source of the reports from a channel's statement. If their amount differs, that is a discrepancy of the statement.
STATEMENT = "statement"


def report_other_amount(
    row: Deduction | RefundPart | Payout, txn: str, amount: Money, *, at: datetime, **details: Any
) -> None:
    """Open a case, once for each amount: the channel reports a booked transaction with this amount. The ledger stays
    as it is.

    An amount that had a case before, and was corrected by the channel, is a repeat. The caller has locked the movement.
    """
    detail = {"txn": txn, "amount": amount.minor, "currency": amount.currency}
    if row.cases.filter(detail__contains=detail).exists():
        return
    case = Case(realm_id=row.realm_id, kind=OTHER_AMOUNT_REPORTED, detail=detail | details, opened_at=at)
    setattr(case, _COLUMNS[type(row)], row)
    case.save(force_insert=True)


_COLUMNS = {Deduction: "deduction", RefundPart: "refund_part", Payout: "payout"}
