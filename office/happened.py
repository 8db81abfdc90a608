"""What every line of every life's history says has happened, in words.

An order's stand where its merchant reads them too (portal.wording), so that each is written once.
"""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from billing.models import (
    DeductionEvent,
    DisputeEvent,
    PayoutAccountEvent,
    PayoutEvent,
    RefundEvent,
    RefundPartEvent,
    ReturnEvent,
    SettlementEvent,
)
from credit.models import AgreementEvent
from kernel.console_actions import Words
from kernel.naming import HAPPENED
from merchants.models import MerchantEvent
from office.models import ProposalEvent
from orders.models import ConcernEvent, ObligationEvent, OrderEvent
from portal import wording

#: A merchant is told "you"; a colleague reads who that is.
ORDER = {
    **wording.HAPPENED,
    "return_borne": _("Return confirmed; the early refund is borne by the merchant"),
    "refund_borne": _("Refund completed; borne by a party other than the merchant"),
    "refund_failed": _("Refund failed to reach the customer"),
}
OBLIGATION: dict[str, Words] = {
    "owed": _("Became due"),
    "lowered": _("Amount reduced to a lower total"),
    "paused": _("Order paused"),
    "resumed": _("Resumed"),
    "overdue": _("Order became overdue"),
    "aged": _("Another overdue day passed"),
    "accrued": _("One day's late fee added"),
    "paid": _("Fully paid"),
    "part_paid": _("Partly paid"),
    "paid_elsewhere": _("Paid directly to the merchant"),
    "put_off": _("Payment plan: part of it is due later"),
    "started_anew": _("Payment plan: no longer overdue; days are counted anew"),
    "owed_again": _("Deduction returned by the channel: owed again"),
    "owed_more": _("Part returned by the channel: more is owed again"),
    "waived": _("Debt waived"),
    "written_off": _("Written off as a loss"),
}
CONCERN: dict[str, Words] = {
    "opened": _("Submitted by the customer"),
    "said": _("Message added"),
    "decided": _("Decision made"),
    "withdrawn": _("Withdrawn by the customer"),
}
AGREEMENT: dict[str, Words] = {
    "requested": _("Requested by the merchant's invitation"),
    "activated": _("Opened by the customer"),
    "closing": _("Closing; ends with its last order"),
    "reopened": _("Reopened by the customer"),
    "agreed_anew": _("The customer agreed to the terms at that time"),
    "terminated": _("Terminated"),
}
_BOTH_WAYS: dict[str, Words] = {
    "prepared": _("Prepared, not sent yet"),
    "sent": _("Sent to the payment channel"),
    "unknown": _("No response: querying the channel"),
    "not_sent": _("Never received by the channel; number closed"),
    "failed": _("Refused by the channel"),
    "said_by_colleagues": _("Result determined by staff"),
    "said_returned": _("Bank return recorded by a colleague"),
    "case_closed": _("Related case closed"),
}
DEDUCTION = {**_BOTH_WAYS, "succeeded": _("Successfully deducted")}
PART = {
    **_BOTH_WAYS,
    "succeeded": _("Refund reached the customer"),
    "put_off": _("Could not be refunded now; will be resent"),
    "not_its_turn": _("Not sent in this batch; goes out with the next one"),
}
PAYOUT = {**_BOTH_WAYS, "succeeded": _("The money arrived")}
REFUND: dict[str, Words] = {
    "asked": _("Refund requested"),
    "part_returned": _("Partly refunded to the customer"),
    "succeeded": _("Fully refunded to the customer"),
    "failed": _("Refund did not succeed"),
}
SETTLEMENT: dict[str, Words] = {
    "opened": _("New settlement day started"),
    "closed": _("Settlement day closed; amount fixed"),
    "waits_for_account": _("Waiting for an approved payout account"),
    "waits_for_channel": _("Waiting: no payout channel available"),
    "carried_over": _("Carried into the next settlement with a later negative one"),
    "account_not_opened": _("Waiting: the account number cannot be decrypted"),
    "account_in_question": _("Waiting: a payout to this account was returned and is not resolved yet"),
    "paying": _("Payout to the merchant in transit"),
    "paid": _("Payout received by the merchant"),
    "failed": _("Payout failed"),
}
ACCOUNT: dict[str, Words] = {
    "asked": _("Account submitted by the merchant"),
    "agreed": _("Dual approval: payouts go there"),
    "refused": _("Rejected"),
}
DISPUTE: dict[str, Words] = {
    "opened": _("Disputed by the channel"),
    "reason_heard": _("Reason given by the channel"),
    "bearer_named": _("Liable party changed by a colleague"),
    "answered": _("Answered by a merchant"),
    "contested": _("Evidence sent to the channel for decision"),
    "won": _("Won: the money is back at the channel"),
    "lost": _("Lost: charged to the liable party"),
}
RETURN: dict[str, Words] = {
    "opened": _("Returned by the customer"),
    "reminded": _("Merchant reminded"),
    "refused": _("Refused by the merchant"),
    "confirmed": _("Received by the merchant, or no reply in time"),
    "not_refunded": _("The remainder could not be refunded automatically"),
    "denied": _("Return rejected: the early refund is owed to us"),
    "borne": _("Reviewed; borne by us"),
    "withdrawn": _("Cancelled by the customer"),
}
PROPOSAL: dict[str, Words] = {
    "asked": _("Requested by a colleague"),
    "approved": _("Approved by a second colleague and executed"),
    "refused": _("Rejected by a second colleague"),
    "withdrawn": _("Withdrawn by the requester"),
    "expired": _("Expired without a decision"),
}
MERCHANT: dict[str, Words] = {
    "joined": _("joined"),
    "applied": _("applied"),
    "checked": _("all checks passed"),
    "check_failed": _("a check no longer passes"),
    "approved": _("dual approval"),
    "refused": _("rejected"),
    "opened": _("went live"),
    "suspended": _("suspended"),
    "resumed": _("suspension lifted"),
    "limited": _("maximum per order changed"),
}
LIVES: Mapping[type, Mapping[str, Words]] = {
    OrderEvent: ORDER,
    ObligationEvent: OBLIGATION,
    ConcernEvent: CONCERN,
    AgreementEvent: AGREEMENT,
    DeductionEvent: DEDUCTION,
    RefundEvent: REFUND,
    RefundPartEvent: PART,
    SettlementEvent: SETTLEMENT,
    PayoutEvent: PAYOUT,
    PayoutAccountEvent: ACCOUNT,
    DisputeEvent: DISPUTE,
    ReturnEvent: RETURN,
    ProposalEvent: PROPOSAL,
    MerchantEvent: MERCHANT,
}


def name_them() -> None:
    """Let the console say them."""
    HAPPENED.update(LIVES)
