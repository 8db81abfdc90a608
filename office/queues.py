"""The queues: of which things somebody has to see to something, whose business they are, and where they are decided.

What waits is asked of the things themselves. One that is decided is in no queue any more, whoever had it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from billing.case_words import told_of
from billing.channels import TRIBUNALS
from billing.models import Break, Case, Deduction, Dispute, Return
from billing.rules import ASK_WAITS
from kernel.console_actions import Words
from kernel.console_lists import page_of
from kernel.models import Identified
from kernel.naming import value
from kernel.templatetags.house import minor
from merchants.models import WebhookEndpoint
from orders.models import Concern
from portal.wording import TAKEN_BACK

_DAY = timedelta(days=1)
MONEY, HELP = ("finance", "supervisor"), ("support", "supervisor")
PLANS, JUDGES = ("collections", "supervisor"), ("risk", "supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One queue: `waits` says which rows of its table are in it, `since` by which column they have waited."""

    name: str
    label: Words
    says: Words
    #: Whoever may decide what is in it; nobody else sees it, and to nobody else is it handed.
    groups: tuple[str, ...]
    model: type[Identified]
    waits: Q
    since: str
    #: When it should be done, if nobody says otherwise.
    within: timedelta
    #: The column that says when it is too late, where something outside sets that: it is to be done a day before.
    ends: str = ""
    #: The column that tells its things apart, what its values are `called`, and what a row is about in a few words.
    kind: str
    what: Callable[[Any], Words]
    #: The page where it is decided.
    address: Callable[[Any], str]
    called: Callable[[str], Words] = str
    beside: tuple[str, ...] = ("realm",)
    #: The ways from its rows to the person they are about; none of what is about merchants alone.
    people: tuple[str, ...] = ("person",)


def _deduction(row: Deduction) -> Words:
    return f"{minor(row.amount_minor, row.currency)} · {row.channel}"


def _case(row: Case) -> Words:
    about = row.about
    what = str(told_of(row.kind).what)
    return f"{what} · {minor(about.amount_minor, about.currency)}" if about else what


def _break(row: Break) -> Words:
    theirs, ours = (minor(one.minor, one.currency) if one else "–" for one in (row.theirs, row.ours))
    return f"{row.get_kind_display()} · {theirs} / {ours}"


def _dispute(row: Dispute) -> Words:
    return f"{_dispute_code(row.code)} · {minor(row.amount_minor, row.currency)}"


def _return(row: Return) -> Words:
    return f"{minor(row.amount_minor, row.currency)} · {row.because}"


def _concern(row: Concern) -> Words:
    about = row.order.title if row.order else ""
    who = row.merchant.name if row.merchant else ""
    return " · ".join(filter(None, (_category(row.category), about, who))) or row.person.public_id


def _category(name: str) -> str:
    """What is wrong, as its person chose it."""
    return render_to_string("orders/category.html", {"category": name}).strip() if name else ""


def _dispute_code(code: str) -> Words:
    """Why the channel took it back."""
    return TAKEN_BACK.get(code, code)


def _case_kind(name: str) -> Words:
    return told_of(name).what


def _endpoint(row: WebhookEndpoint) -> Words:
    return f"{row.merchant.name} · {row.url}"


def _of_people(
    kind: Concern.Kind, label: Words, says: Words, groups: tuple[str, ...], *, within: timedelta = _DAY
) -> Queue:
    """What people asked help with and wait for our answer about."""
    return Queue(
        name=kind.value,
        label=label,
        says=says,
        groups=groups,
        model=Concern,
        waits=Q(kind=kind, state=Concern.State.OPEN, waits_for=Concern.Turn.STAFF),
        since="heard_at",
        within=within,
        kind="category",
        called=_category,
        what=_concern,
        address=page_of,
        beside=("realm", "order", "merchant", "person"),
    )


_FAILING = WebhookEndpoint.State.ENABLED, WebhookEndpoint.State.DISABLED
QUEUES: dict[str, Queue] = {
    queue.name: queue
    for queue in (
        Queue(
            name="unknown",
            label=_("Deductions with unknown result"),
            says=_("Queried for an hour without a result from the channel"),
            groups=MONEY,
            model=Deduction,
            waits=Q(state=Deduction.State.UNKNOWN, ask_at__isnull=False, asks__gte=len(ASK_WAITS) - 1),
            since="sent_at",
            within=3 * _DAY,
            kind="channel",
            what=_deduction,
            address=page_of,
        ),
        Queue(
            name="case",
            label=_("Cases"),
            says=_("The channel contradicts itself or our ledger; money may be in suspense"),
            groups=MONEY,
            model=Case,
            # Of a deduction that nobody knows the end of, the deduction itself waits.
            waits=Q(closed_at__isnull=True) & ~Q(kind="unknown_too_long", deduction__state=Deduction.State.UNKNOWN),
            since="opened_at",
            within=3 * _DAY,
            kind="kind",
            called=_case_kind,
            what=_case,
            address=page_of,
            beside=("realm", "deduction", "refund_part", "payout"),
            people=("deduction__person", "refund_part__refund__person"),
        ),
        Queue(
            name="break",
            label=_("Reconciliation discrepancies"),
            says=_("The channel statement and our ledger differ"),
            groups=MONEY,
            model=Break,
            waits=Q(closed_at__isnull=True),
            since="opened_at",
            within=3 * _DAY,
            kind="kind",
            called=value,
            what=_break,
            address=page_of,
            people=("deduction__person", "refund_part__refund__person"),
        ),
        Queue(
            name="dispute",
            label=_("Disputes"),
            says=_("Disputes awaiting our answer or the channel's decision"),
            groups=MONEY,
            model=Dispute,
            waits=Q(state=Dispute.State.OPEN) | Q(state=Dispute.State.CONTESTED) & ~Q(channel__in=list(TRIBUNALS)),
            since="opened_at",
            within=5 * _DAY,
            ends="answer_until",
            kind="code",
            called=_dispute_code,
            what=_dispute,
            address=page_of,
        ),
        Queue(
            name="return",
            label=_("Refused returns"),
            says=_("Refused by the merchant; the early refund is not allocated yet"),
            groups=HELP,
            model=Return,
            waits=Q(state=Return.State.REFUSED),
            since="opened_at",
            within=_DAY,
            kind="state",
            what=_return,
            address=page_of,
        ),
        _of_people(
            Concern.Kind.PROBLEM,
            _("Problem reports"),
            _("Customers waiting for our answer about an order"),
            ("support", "collections", "supervisor"),
        ),
        _of_people(
            Concern.Kind.HARDSHIP,
            _("Financial hardship"),
            _("Customers in difficulty requesting a payment plan"),
            PLANS,
        ),
        _of_people(
            Concern.Kind.OBJECTION,
            _("Objections"),
            _("Customers requesting a review of a decision"),
            JUDGES,
            within=2 * _DAY,
        ),
        Queue(
            name="webhook",
            label=_("Failing webhooks"),
            says=_("Merchants whose endpoint keeps failing"),
            groups=HELP,
            model=WebhookEndpoint,
            waits=Q(failing_from__isnull=False, state__in=_FAILING) & ~Q(disabled_because="by_merchant"),
            since="failing_from",
            within=2 * _DAY,
            kind="state",
            what=_endpoint,
            address=page_of,
            beside=("realm", "merchant"),
            people=(),
        ),
    )
}
