"""Labels of history events of every lifecycle, as the operations console shows them.

Labels of order events are shared with the merchant console (portal.labels).
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
from kernel.console_actions import StrOrPromise
from kernel.labels import HISTORY_LABELS
from merchants.models import MerchantEvent
from office.models import ProposalEvent
from orders.models import ConcernEvent, ObligationEvent, OrderEvent
from portal import labels

#: The merchant console says "you"; these labels name the party instead.
ORDER_EVENTS = {
    **labels.ORDER_EVENT_LABELS,
    "return_borne": _("Return confirmed; the early refund is borne by the merchant"),
    "refund_borne": _("Refund completed; borne by a party other than the merchant"),
    "refund_failed": _("Refund failed to reach the customer"),
}
OBLIGATION_EVENTS: dict[str, StrOrPromise] = {
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
CONCERN_EVENTS: dict[str, StrOrPromise] = {
    "opened": _("Submitted by the customer"),
    "said": _("Message added"),
    "decided": _("Decision made"),
    "withdrawn": _("Withdrawn by the customer"),
}
AGREEMENT_EVENTS: dict[str, StrOrPromise] = {
    "requested": _("Requested by the merchant's invitation"),
    "activated": _("Opened by the customer"),
    "closing": _("Closing; ends with its last order"),
    "reopened": _("Reopened by the customer"),
    "agreed_anew": _("The customer agreed to the terms at that time"),
    "terminated": _("Terminated"),
}
_CHANNEL_EVENTS: dict[str, StrOrPromise] = {
    "prepared": _("Prepared, not sent yet"),
    "sent": _("Sent to the payment channel"),
    "unknown": _("No response: querying the channel"),
    "not_sent": _("Never received by the channel; number closed"),
    "failed": _("Refused by the channel"),
    "said_by_colleagues": _("Result determined by staff"),
    "said_returned": _("Bank return recorded by a colleague"),
    "case_closed": _("Related case closed"),
}
DEDUCTION_EVENTS = {**_CHANNEL_EVENTS, "succeeded": _("Successfully deducted")}
REFUND_PART_EVENTS = {
    **_CHANNEL_EVENTS,
    "succeeded": _("Refund reached the customer"),
    "put_off": _("Could not be refunded now; will be resent"),
    "not_its_turn": _("Not sent in this batch; goes out with the next one"),
}
PAYOUT_EVENTS = {**_CHANNEL_EVENTS, "succeeded": _("The money arrived")}
REFUND_EVENTS: dict[str, StrOrPromise] = {
    "asked": _("Refund requested"),
    "part_returned": _("Partly refunded to the customer"),
    "succeeded": _("Fully refunded to the customer"),
    "failed": _("Refund did not succeed"),
}
SETTLEMENT_EVENTS: dict[str, StrOrPromise] = {
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
PAYOUT_ACCOUNT_EVENTS: dict[str, StrOrPromise] = {
    "asked": _("Account submitted by the merchant"),
    "agreed": _("Dual approval: payouts go there"),
    "refused": _("Rejected"),
}
DISPUTE_EVENTS: dict[str, StrOrPromise] = {
    "opened": _("Disputed by the channel"),
    "reason_heard": _("Reason given by the channel"),
    "bearer_named": _("Liable party changed by a colleague"),
    "answered": _("Answered by a merchant"),
    "contested": _("Evidence sent to the channel for decision"),
    "won": _("Won: the money is back at the channel"),
    "lost": _("Lost: charged to the liable party"),
}
RETURN_EVENTS: dict[str, StrOrPromise] = {
    "opened": _("Returned by the customer"),
    "reminded": _("Merchant reminded"),
    "refused": _("Refused by the merchant"),
    "confirmed": _("Received by the merchant, or no reply in time"),
    "not_refunded": _("The remainder could not be refunded automatically"),
    "denied": _("Return rejected: the early refund is owed to us"),
    "borne": _("Reviewed; borne by us"),
    "withdrawn": _("Cancelled by the customer"),
}
PROPOSAL_EVENTS: dict[str, StrOrPromise] = {
    "asked": _("Requested by a colleague"),
    "approved": _("Approved by a second colleague and executed"),
    "refused": _("Rejected by a second colleague"),
    "withdrawn": _("Withdrawn by the requester"),
    "expired": _("Expired without a decision"),
}
MERCHANT_EVENTS: dict[str, StrOrPromise] = {
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
LABELS_BY_EVENT: Mapping[type, Mapping[str, StrOrPromise]] = {
    OrderEvent: ORDER_EVENTS,
    ObligationEvent: OBLIGATION_EVENTS,
    ConcernEvent: CONCERN_EVENTS,
    AgreementEvent: AGREEMENT_EVENTS,
    DeductionEvent: DEDUCTION_EVENTS,
    RefundEvent: REFUND_EVENTS,
    RefundPartEvent: REFUND_PART_EVENTS,
    SettlementEvent: SETTLEMENT_EVENTS,
    PayoutEvent: PAYOUT_EVENTS,
    PayoutAccountEvent: PAYOUT_ACCOUNT_EVENTS,
    DisputeEvent: DISPUTE_EVENTS,
    ReturnEvent: RETURN_EVENTS,
    ProposalEvent: PROPOSAL_EVENTS,
    MerchantEvent: MERCHANT_EVENTS,
}


def register_labels() -> None:
    """Register the labels with kernel.labels."""
    HISTORY_LABELS.update(LABELS_BY_EVENT)
