"""The work queues of the operations console: which rows are in each, who handles them, and where they are decided.

A queue is a filter over its table, so an item leaves it as soon as it is decided, whoever it is assigned to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from billing.case_labels import label_of_case
from billing.channels import DISPUTE_CHANNELS
from billing.models import Break, Case, Deduction, Dispute, Return
from billing.rules import QUERY_DELAYS
from kernel.console_actions import StrOrPromise
from kernel.console_lists import detail_url
from kernel.labels import value_label
from kernel.models import Identified
from kernel.templatetags.formatting import minor_amount
from merchants.models import WebhookEndpoint
from orders.models import Concern
from portal.labels import DISPUTE_REASON_LABELS

_DAY = timedelta(days=1)
FINANCE_GROUPS, SUPPORT_GROUPS = ("finance", "supervisor"), ("support", "supervisor")
COLLECTIONS_GROUPS, RISK_GROUPS = ("collections", "supervisor"), ("risk", "supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One queue: the rows of `model` that match `open_filter`, waiting since the time in `since_field`."""

    name: str
    label: StrOrPromise
    description: StrOrPromise
    #: The groups that may decide its items; nobody else sees the queue or is assigned its items.
    groups: tuple[str, ...]
    model: type[Identified]
    open_filter: Q
    since_field: str
    #: Default time to handle an item.
    time_limit: timedelta
    #: The field with an external deadline, if there is one: the item is due a day before it.
    deadline_field: str = ""
    #: The field that tells kinds of items apart; `kind_label` names its values, `summary` describes a row.
    kind_field: str
    summary: Callable[[Any], StrOrPromise]
    #: The page where an item is decided.
    url: Callable[[Any], str]
    kind_label: Callable[[str], StrOrPromise] = str
    related: tuple[str, ...] = ("realm",)
    #: Lookups from a row to the person it is about; empty for rows about merchants only.
    person_lookups: tuple[str, ...] = ("person",)


def _deduction_summary(row: Deduction) -> StrOrPromise:
    return f"{minor_amount(row.amount_minor, row.currency)} · {row.channel}"


def _case_summary(row: Case) -> StrOrPromise:
    about = row.movement
    what = str(label_of_case(row.kind).title)
    return f"{what} · {minor_amount(about.amount_minor, about.currency)}" if about else what


def _break_summary(row: Break) -> StrOrPromise:
    theirs, ours = (minor_amount(one.minor, one.currency) if one else "–" for one in (row.theirs, row.ours))
    return f"{row.get_kind_display()} · {theirs} / {ours}"


def _dispute_summary(row: Dispute) -> StrOrPromise:
    return f"{_dispute_code_label(row.code)} · {minor_amount(row.amount_minor, row.currency)}"


def _return_summary(row: Return) -> StrOrPromise:
    return f"{minor_amount(row.amount_minor, row.currency)} · {row.because}"


def _concern_summary(row: Concern) -> StrOrPromise:
    about = row.order.title if row.order else ""
    merchant = row.merchant.name if row.merchant else ""
    return " · ".join(filter(None, (_category_label(row.category), about, merchant))) or row.person.public_id


def _category_label(name: str) -> str:
    """The label of a concern's category, as the person chose it."""
    return render_to_string("orders/category.html", {"category": name}).strip() if name else ""


def _dispute_code_label(code: str) -> StrOrPromise:
    """The label of a channel's dispute reason."""
    return DISPUTE_REASON_LABELS.get(code, code)


def _case_kind_label(name: str) -> StrOrPromise:
    return label_of_case(name).title


def _endpoint_summary(row: WebhookEndpoint) -> StrOrPromise:
    return f"{row.merchant.name} · {row.url}"


def _concern_queue(
    kind: Concern.Kind,
    label: StrOrPromise,
    description: StrOrPromise,
    groups: tuple[str, ...],
    *,
    time_limit: timedelta = _DAY,
) -> Queue:
    """A queue of open concerns of one kind that wait for staff."""
    return Queue(
        name=kind.value,
        label=label,
        description=description,
        groups=groups,
        model=Concern,
        open_filter=Q(kind=kind, state=Concern.State.OPEN, waits_for=Concern.Turn.STAFF),
        since_field="heard_at",
        time_limit=time_limit,
        kind_field="category",
        kind_label=_category_label,
        summary=_concern_summary,
        url=detail_url,
        related=("realm", "order", "merchant", "person"),
    )


_ACTIVE_STATES = WebhookEndpoint.State.ENABLED, WebhookEndpoint.State.DISABLED
QUEUES: dict[str, Queue] = {
    queue.name: queue
    for queue in (
        Queue(
            name="unknown",
            label=_("Deductions with unknown result"),
            description=_("Queried for an hour without a result from the channel"),
            groups=FINANCE_GROUPS,
            model=Deduction,
            open_filter=Q(state=Deduction.State.UNKNOWN, ask_at__isnull=False, asks__gte=len(QUERY_DELAYS) - 1),
            since_field="sent_at",
            time_limit=3 * _DAY,
            kind_field="channel",
            summary=_deduction_summary,
            url=detail_url,
        ),
        Queue(
            name="case",
            label=_("Cases"),
            description=_("The channel contradicts itself or our ledger; money may be in suspense"),
            groups=FINANCE_GROUPS,
            model=Case,
            # A case about an unknown deduction is left out: the deduction itself is in the queue above.
            open_filter=Q(closed_at__isnull=True)
            & ~Q(kind="unknown_too_long", deduction__state=Deduction.State.UNKNOWN),
            since_field="opened_at",
            time_limit=3 * _DAY,
            kind_field="kind",
            kind_label=_case_kind_label,
            summary=_case_summary,
            url=detail_url,
            related=("realm", "deduction", "refund_part", "payout"),
            person_lookups=("deduction__person", "refund_part__refund__person"),
        ),
        Queue(
            name="break",
            label=_("Reconciliation discrepancies"),
            description=_("The channel statement and our ledger differ"),
            groups=FINANCE_GROUPS,
            model=Break,
            open_filter=Q(closed_at__isnull=True),
            since_field="opened_at",
            time_limit=3 * _DAY,
            kind_field="kind",
            kind_label=value_label,
            summary=_break_summary,
            url=detail_url,
            person_lookups=("deduction__person", "refund_part__refund__person"),
        ),
        Queue(
            name="dispute",
            label=_("Disputes"),
            description=_("Disputes awaiting our answer or the channel's decision"),
            groups=FINANCE_GROUPS,
            model=Dispute,
            open_filter=Q(state=Dispute.State.OPEN)
            | Q(state=Dispute.State.CONTESTED) & ~Q(channel__in=list(DISPUTE_CHANNELS)),
            since_field="opened_at",
            time_limit=5 * _DAY,
            deadline_field="answer_until",
            kind_field="code",
            kind_label=_dispute_code_label,
            summary=_dispute_summary,
            url=detail_url,
        ),
        Queue(
            name="return",
            label=_("Refused returns"),
            description=_("Refused by the merchant; the early refund is not allocated yet"),
            groups=SUPPORT_GROUPS,
            model=Return,
            open_filter=Q(state=Return.State.REFUSED),
            since_field="opened_at",
            time_limit=_DAY,
            kind_field="state",
            summary=_return_summary,
            url=detail_url,
        ),
        _concern_queue(
            Concern.Kind.PROBLEM,
            _("Problem reports"),
            _("Customers waiting for our answer about an order"),
            ("support", "collections", "supervisor"),
        ),
        _concern_queue(
            Concern.Kind.HARDSHIP,
            _("Financial hardship"),
            _("Customers in difficulty requesting a payment plan"),
            COLLECTIONS_GROUPS,
        ),
        _concern_queue(
            Concern.Kind.OBJECTION,
            _("Objections"),
            _("Customers requesting a review of a decision"),
            RISK_GROUPS,
            time_limit=2 * _DAY,
        ),
        Queue(
            name="webhook",
            label=_("Failing webhooks"),
            description=_("Merchants whose endpoint keeps failing"),
            groups=SUPPORT_GROUPS,
            model=WebhookEndpoint,
            open_filter=Q(failing_from__isnull=False, state__in=_ACTIVE_STATES) & ~Q(disabled_because="by_merchant"),
            since_field="failing_from",
            time_limit=2 * _DAY,
            kind_field="state",
            summary=_endpoint_summary,
            url=detail_url,
            related=("realm", "merchant"),
            person_lookups=(),
        ),
    )
}
