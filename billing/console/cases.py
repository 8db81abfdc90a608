"""The page of a case with its evidence, and the row actions that close it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from billing.case_labels import label_of_case
from billing.console.order_actions import always_needs_approval
from billing.console.unknown_outcomes import OutcomeForm
from billing.models import Break, Case, StatementLine
from billing.services import case_resolutions, cases
from billing.services.wallets import REFERENCE_MAX
from kernel import ids
from kernel.actor import Actor
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, ReasonForm, RowAction, StrOrPromise, console_page
from kernel.templatetags.formatting import money
from ledger.models import Posting

RESOLVERS = ("finance", "supervisor")
SHOWN_MAX = 100
#: Labels of the keys of `Case.detail`.
DETAIL_LABELS: dict[str, StrOrPromise] = {
    "txn": gettext_lazy("Channel transaction no."),
    "code": gettext_lazy("Channel code"),
    "asks": gettext_lazy("Queries"),
    "sends": gettext_lazy("Times sent"),
}


RESOLUTION_LABELS: dict[str, StrOrPromise] = {
    Case.Resolution.RETURNED: gettext_lazy("The channel has corrected it; its balance is restored"),
    Case.Resolution.WALLET: gettext_lazy("Belongs to the customer: move to their wallet"),
    Case.Resolution.BY_HAND: gettext_lazy("Belonged to the customer and was paid manually"),
    Case.Resolution.MERCHANT: gettext_lazy("Belongs to the merchant: into their next settlement"),
    Case.Resolution.AHEAD: gettext_lazy("Treat as early refund: liability is decided with the return"),
    Case.Resolution.PLATFORM: gettext_lazy("Borne by us"),
    Case.Resolution.STANDS: gettext_lazy("Our ledger is correct as is"),
    Case.Resolution.SAID: gettext_lazy("Result determined by staff"),
}


@require_safe
@console_page(*VIEWERS)
def case(colleague: Colleague, case: str) -> HttpResponse:
    """A case: the movement, the channel's reports, the ledger postings and related rows."""
    key = ids.parse(Case.prefix, case)
    rows = Case.objects.select_related("realm", "deduction__person", "refund_part__refund", "payout__merchant")
    row = rows.filter(pk=key).first() if key else None
    if row is None or row.movement is None:
        raise Http404
    movement = row.movement
    reports = list(movement.reports.order_by("id")[:SHOWN_MAX])
    txns = {report.channel_txn for report in reports if report.channel_txn} | {str(row.detail.get("txn", ""))}
    return colleague.render(
        "console/case.html",
        label_of_case(row.kind).title,
        case=row,
        case_label=label_of_case(row.kind),
        resolution_label=RESOLUTION_LABELS.get(row.resolution, ""),
        amount=case_resolutions.amount_at_stake(row),
        detail=[(DETAIL_LABELS[name], value) for name, value in row.detail.items() if name in DETAIL_LABELS],
        movement=movement,
        movement_url=reverse(
            f"admin:{movement._meta.app_label}_{movement._meta.model_name}_change", args=[movement.pk]
        ),
        reports=reports,
        history=list(movement.history.order_by("seq")[:SHOWN_MAX]),
        postings=list(Posting.objects.filter(Q(cause_id=row.pk)).order_by("id")),
        lines=list(StatementLine.objects.filter(channel_txn__in=txns - {""}).select_related("statement")[:SHOWN_MAX]),
        breaks=list(Break.objects.filter(_same_movement(row)).order_by("id")[:SHOWN_MAX]),
        others=[
            (other, label_of_case(other.kind).title)
            for other in movement.cases.exclude(pk=row.pk).order_by("id")[:SHOWN_MAX]
        ],
        names=usernames_of([row.closed_by]),
    )


def _same_movement(case: Case) -> Q:
    """A filter for rows about the same movement."""
    if case.deduction_id:
        return Q(deduction_id=case.deduction_id)
    return Q(refund_part_id=case.refund_part_id) if case.refund_part_id else Q(pk__in=[])


class CloseForm(ReasonForm):
    """How to close a case: only resolutions that apply to its kind can be chosen."""

    resolution = forms.ChoiceField(label=gettext_lazy("Resolution"))
    paid_as = forms.CharField(
        label=gettext_lazy("Bank transfer reference"),
        max_length=REFERENCE_MAX,
        required=False,
        help_text=gettext_lazy("Only if paid manually; requires two people."),
    )

    def __init__(self, *args: Any, row: Case, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        choices = [(end, RESOLUTION_LABELS[end]) for end in case_resolutions.allowed_resolutions(row)]
        placeholder = [("", "–")] if len(choices) > 1 else []
        self.fields["resolution"].choices = [*placeholder, *choices]  # type: ignore[attr-defined]  # it is a choice
        if Case.Resolution.BY_HAND not in dict(choices):
            del self.fields["paid_as"]


def _is_closable(row: Case) -> bool:
    return row.closed_at is None and row.movement is not None and bool(case_resolutions.allowed_resolutions(row))


def _preview_close(row: Case, at: datetime) -> StrOrPromise:
    del at
    kind_text, amount = label_of_case(row.kind), money(case_resolutions.amount_at_stake(row))
    return f"{kind_text.title}: {amount}. {kind_text.advice}"


def _close(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    paid_as = data.get("paid_as", "")
    row = cases.close_case(key, data["resolution"], data["note"], paid_as=paid_as, by=by, at=at)
    return _("Case closed: %(how)s.") % {"how": RESOLUTION_LABELS[row.resolution]}


def _preview_resolve(row: Case, at: datetime) -> StrOrPromise:
    del at
    text = _("The result for %(amount)s is unknown. Your decision is treated as the channel's answer.")
    return text % {"amount": money(case_resolutions.amount_at_stake(row))}


def _resolve_movement(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    cases.record_movement_outcome(key, txn=data["txn"], evidence=data["evidence"], reason=data["note"], by=by, at=at)
    return _("The result has been recorded.")


class MovementOutcomeForm(OutcomeForm):
    """The outcome of a refund part or payout."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["outcome"].choices = [  # type: ignore[attr-defined]  # it is a choice
            ("", "–"),
            ("taken", gettext_lazy("The money arrived")),
            ("not_taken", gettext_lazy("The money did not arrive and never will under this number")),
        ]


def _needs_approval(row: Case, data: Mapping[str, Any]) -> bool:
    return data.get("resolution") == Case.Resolution.BY_HAND or case_resolutions.needs_approval(row)


def _posting_filter(row: Case) -> Q:
    about = row.movement
    return Q(cause_id=row.pk) | Q(cause_id=about.pk if about else row.pk)


def _back_url(row: Case) -> str:
    return reverse("case_desk", args=[row.public_id])


def _snapshot(row: Case) -> dict[str, Any]:
    state = row.movement.state if row.movement else ""
    return {"kind": row.kind, "state": state, "closed": row.closed_at is not None}


ROW_ACTIONS = [
    RowAction(
        "close_case",
        Case,
        gettext_lazy("Close case"),
        RESOLVERS,
        _preview_close,
        _close,
        CloseForm,
        applies_to=_is_closable,
        back_url=_back_url,
        posting_filter=_posting_filter,
        needs_approval=_needs_approval,
        approvers=RESOLVERS,
        snapshot=_snapshot,
        lock=cases.lock_case,
    ),
    RowAction(
        "say_movement",
        Case,
        gettext_lazy("Determine result"),
        RESOLVERS,
        _preview_resolve,
        _resolve_movement,
        MovementOutcomeForm,
        applies_to=cases.can_record_outcome,
        back_url=_back_url,
        posting_filter=_posting_filter,
        needs_approval=always_needs_approval,
        approvers=RESOLVERS,
        snapshot=_snapshot,
        lock=cases.lock_case,
    ),
]
