"""Labels of codes on operations console pages, and formatting of history details and decision inputs."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from credit.models import Decision
from credit.rules import Facts, Reason
from kernel import ids
from kernel.console_actions import StrOrPromise
from kernel.labels import CHANNEL_ANSWER, column_label, register_codes, register_data_keys, value_label
from kernel.money import Money
from kernel.templatetags.formatting import money
from orders.models import Concern
from orders.rules import PROBLEMS
from portal.labels import DISPUTE_REASON_LABELS, FAILURE_LABELS

#: Outcomes of channel reports, and the ways they are received.
REPORT_CODES = ("taken", "declined", "lost", "absent", "closed", "sync", "query", "callback", "statement", "colleagues")
#: History fields that hold a row's key, with the prefix of its public id.
ROW_PREFIXES = {"decision": Decision.prefix, "concern": Concern.prefix}
_AMOUNT_FIELDS, _CODE_FIELDS = {"total", "amount"}, {"reason", "outcome", "bearer", "category", "source", "mode"}

#: Why a decision was declined, and why a score changed.
DECLINE_REASONS: dict[str, StrOrPromise] = {
    Reason.NOT_VERIFIED: _("Identity not verified"),
    Reason.OVERDUE: _("Has overdue debts"),
    Reason.SCORE: _("Score below the service's minimum"),
    Reason.LIMIT: _("Exceeds the available limit"),
    Reason.TOO_MANY_OPEN: _("Too many orders in progress"),
    Reason.NO_CREDIT: _("No limit for this score band"),
    Reason.FROZEN: _("Credit is frozen"),
    Reason.PLAN: _("On a payment plan at present"),
}
SCORE_REASONS: dict[str, StrOrPromise] = {
    "kept": _("Paid on time"),
    "unkept": _("Points for paying on time withdrawn"),
    "breached": _("Order went overdue"),
    "righted": _("Found not overdue; record withdrawn"),
    "cleared": _("Overdue debt paid"),
    "uncleared": _("Payment returned by a bank"),
    "corrected": _("Corrected after objection"),
}
#: Why a delivery of a notice was not sent.
UNSENT_REASONS: dict[str, StrOrPromise] = {
    "no_phone": _("no phone"),
    "no_address": _("no email address"),
    "silenced": _("turned off by the customer"),
    "never_settled": _("no result from the sender"),
    "paid": _("paid in the meantime"),
    "settled": _("paid in the meantime"),
    "waived": _("waived in the meantime"),
    "written_off": _("written off in the meantime"),
    "gone": _("its subject no longer exists"),
    "paused": _("was paused"),
    "under_way": _("a deduction was in progress"),
    "too_late": _("too late to send"),
    "moved": _("the date was changed"),
    "overtaken": _("superseded by a newer notice"),
    "started_anew": _("new dates were agreed in the meantime"),
    "less_is_owed": _("the amount was reduced in the meantime"),
}

#: Why an order is paused.
PAUSE_REASONS = ("problem_reported", "return_under_way", "refund_in_flight", "channel_outage")


def register_labels() -> None:
    """Register the labels of these codes and field names with kernel.labels."""
    register_codes(REPORT_CODES, CHANNEL_ANSWER)
    register_codes((*PAUSE_REASONS, *PROBLEMS, "live", "test"))
    register_data_keys(["heard_by", "reference", "parts", "every_days", "txn"])
    register_data_keys(field.name.removesuffix("_minor") for field in fields(Facts))


def history_details(data: Mapping[str, Any], currency: str) -> Iterable[tuple[str, str]]:
    """The data of a history line as (label, text) pairs."""
    for name, value in data.items():
        if name == "source" and value in REPORT_CODES:
            yield column_label("heard_by"), value_label(str(value), CHANNEL_ANSWER)
        elif value not in {"", None}:
            yield column_label(name), _format_value(name, value, currency)


def decision_inputs(inputs: Mapping[str, Any], currency: str) -> Iterable[tuple[str, Any]]:
    """The inputs of a credit decision as (label, value) pairs."""
    for name, value in inputs.items():
        label = column_label(name.removesuffix("_minor"))
        yield label, money(Money(value, currency)) if name.endswith("_minor") else value


def _format_value(name: str, value: Any, currency: str) -> str:
    if name in _AMOUNT_FIELDS and isinstance(value, int):
        return money(Money(value, currency))
    if name in ROW_PREFIXES:
        return ids.public(ROW_PREFIXES[name], UUID(str(value)))
    if name == "code":
        return str(FAILURE_LABELS.get(str(value)) or DISPUTE_REASON_LABELS.get(str(value), value))
    return value_label(str(value)) if name in _CODE_FIELDS else str(value)
