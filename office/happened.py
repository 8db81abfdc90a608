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
from kernel.desk import Words
from kernel.naming import HAPPENED
from merchants.models import MerchantEvent
from office.models import ProposalEvent
from orders.models import ConcernEvent, ObligationEvent, OrderEvent
from portal import wording

#: A merchant is told "you"; a colleague reads who that is.
ORDER = {
    **wording.HAPPENED,
    "return_borne": _("The return was confirmed, and the merchant bears what went back"),
    "refund_borne": _("A refund went back, and somebody else than the merchant bears it"),
    "refund_failed": _("A refund did not reach the person"),
}
OBLIGATION: dict[str, Words] = {
    "owed": _("It is owed from now on"),
    "lowered": _("It was lowered"),
    "paused": _("Its clock was stopped"),
    "resumed": _("Its clock goes on"),
    "overdue": _("It became overdue"),
    "aged": _("A day of being overdue ended"),
    "accrued": _("A day's late fee was added"),
    "paid": _("It is paid in full"),
    "part_paid": _("A part of it is paid"),
    "paid_elsewhere": _("It was paid to the merchant"),
    "put_off": _("A plan: so much of it is due later"),
    "started_anew": _("A plan: it is overdue no more, and its days are counted anew"),
    "owed_again": _("The channel took a debit back: it is owed again"),
    "owed_more": _("The channel took a part back: more of it is owed again"),
    "waived": _("It was forgiven"),
    "written_off": _("It was given up as lost"),
}
CONCERN: dict[str, Words] = {
    "opened": _("The person asked"),
    "said": _("Something was said"),
    "decided": _("It was decided"),
    "withdrawn": _("The person took it back"),
}
AGREEMENT: dict[str, Words] = {
    "requested": _("The merchant asked the person to open it"),
    "activated": _("The person opened it"),
    "closing": _("It was stopped, and ends with its last order"),
    "reopened": _("The person opened it again"),
    "agreed_anew": _("The person agreed to the terms of by then"),
    "terminated": _("It is over"),
}
_BOTH_WAYS: dict[str, Words] = {
    "prepared": _("It was prepared, and nothing was sent yet"),
    "sent": _("It was sent to the channel"),
    "unknown": _("No answer came: the channel is asked how it ended"),
    "not_sent": _("The channel never had it, and its number is closed"),
    "failed": _("The channel refused"),
    "said_by_colleagues": _("Colleagues said how it ended"),
    "said_returned": _("A colleague said that the bank sent it back"),
    "case_closed": _("A case about it was closed"),
}
DEDUCTION = {**_BOTH_WAYS, "succeeded": _("The money was taken")}
PART = {
    **_BOTH_WAYS,
    "succeeded": _("The money is back with the person"),
    "put_off": _("It could not go back now, and is sent again later"),
    "not_its_turn": _("Time was up before it was sent: it is sent with the next ones"),
}
PAYOUT = {**_BOTH_WAYS, "succeeded": _("The money arrived")}
REFUND: dict[str, Words] = {
    "asked": _("A refund was asked for"),
    "part_returned": _("A part of it is back with the person"),
    "succeeded": _("All of it is back with the person"),
    "failed": _("It did not reach the person"),
}
SETTLEMENT: dict[str, Words] = {
    "opened": _("A day of the merchant's began"),
    "closed": _("The day ended, and what it comes to is fixed"),
    "waits_for_account": _("It waits for an account to be paid to"),
    "waits_for_channel": _("It waits: no channel pays merchants out yet"),
    "carried_over": _("It goes along with a debt into the next settlement"),
    "account_not_opened": _("It waits: the number of its account does not open"),
    "account_in_question": _("It waits: something came back from its account, and that is not judged yet"),
    "paying": _("It is on its way to the merchant"),
    "paid": _("It arrived at the merchant"),
    "failed": _("It did not arrive"),
}
ACCOUNT: dict[str, Words] = {
    "asked": _("The merchant named an account"),
    "agreed": _("Two agreed: money goes there"),
    "refused": _("It was refused"),
}
DISPUTE: dict[str, Words] = {
    "opened": _("The channel took the money back"),
    "reason_heard": _("The channel said why"),
    "bearer_named": _("A colleague named another bearer"),
    "answered": _("A merchant answered"),
    "contested": _("The evidence goes to the channel, which decides"),
    "won": _("The channel gave way: the money is with it again"),
    "lost": _("The money is gone, and somebody bears it"),
}
RETURN: dict[str, Words] = {
    "opened": _("The person sent it back"),
    "reminded": _("The merchant was reminded"),
    "refused": _("The merchant does not take it"),
    "confirmed": _("The merchant has it again, or said nothing in time"),
    "not_refunded": _("What is left could not be given back by itself"),
    "denied": _("It does not stand: what went back ahead is owed to us"),
    "borne": _("It was looked into, and we bear it"),
    "withdrawn": _("The person kept it"),
}
PROPOSAL: dict[str, Words] = {
    "asked": _("A colleague asked for it"),
    "approved": _("A second colleague agreed, and it was done"),
    "refused": _("A second colleague said no"),
    "withdrawn": _("Whoever asked took it back"),
    "expired": _("Nobody decided in time"),
}
MERCHANT: dict[str, Words] = {
    "joined": _("joined"),
    "applied": _("applied"),
    "checked": _("every check came out well"),
    "check_failed": _("a check no longer came out well"),
    "approved": _("approved by two"),
    "refused": _("refused"),
    "opened": _("opened: it is live"),
    "suspended": _("suspended"),
    "resumed": _("no longer suspended"),
    "limited": _("most of one order changed"),
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
