"""/ops/second/: what waits for a second colleague; one of them with what would change; and the decision."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from kernel import ids
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS, belongs
from kernel.console_actions import NOTE_LENGTH_MAX, Colleague, Desk, Words, page, show_errors
from kernel.maker_checker import MATTERS, Matter, Plain, bound, found_row, moment_of
from kernel.naming import roles
from kernel.refusal import NotFound, Refusal
from ledger.models import Posting
from office.models import Proposal
from office.queries import proposals as asked
from office.queries.proposals import SHOWN_MAX
from office.services import proposals
from office.services.foresight import postings_of, seal_of

DESK = Desk("proposals", gettext_lazy("Pending approval"), gettext_lazy("Actions that need two people"), VIEWERS)
SOON = timedelta(hours=12)
#: What stands that no form calls by a name.
NAMES: dict[str, Words] = {
    "state": gettext_lazy("State"),
    "version": gettext_lazy("Version"),
    "score": gettext_lazy("Score"),
    "active": gettext_lazy("Can sign in"),
    "kind": gettext_lazy("Kind"),
    "theirs": gettext_lazy("Channel record"),
    "ours": gettext_lazy("Our ledger record"),
    "heard": gettext_lazy("Passed to automatic resolution"),
    "closed": gettext_lazy("Closed"),
    "limit": gettext_lazy("Limit"),
    "roles": gettext_lazy("Roles"),
}


class DecisionForm(forms.Form):
    """Why it is decided so."""

    because = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=NOTE_LENGTH_MAX,
        help_text=gettext_lazy("The requester will see it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing as it stands and as it was asked for."""

    name: Words
    now: Words
    #: Nothing where it stays.
    then: Words

    @property
    def changed(self) -> bool:
        return bool(self.then) and self.then != self.now


def ask(colleague: Colleague, matter: str, about: str, wish: Plain, why: str) -> Words:
    """Put it before a second colleague."""
    made = proposals.propose(matter, about, wish, why, by=colleague.actor, at=colleague.at)
    colleague.audit("proposed", made.public_id, why, matter=matter, of=about)
    return _("Submitted for approval. It is executed once a second colleague approves; you will see the result here.")


@require_safe
@page(*VIEWERS)
def queue(colleague: Colleague) -> HttpResponse:
    """Everything that waits, and what was decided last. Whoever asked has seen it then."""
    rows = list(asked.waiting()[: SHOWN_MAX + 1])
    news = {row.pk for row in asked.unseen(colleague.actor)[:SHOWN_MAX]}
    done = list(asked.decided()[:20])
    shown = colleague.show(
        "office/proposals.html",
        DESK.label,
        rows=[(row, _label(row), _may(colleague, row)) for row in rows[:SHOWN_MAX]],
        more=len(rows) > SHOWN_MAX,
        done=[(row, _label(row), row.pk in news) for row in done],
        names=names_of({row.asked_by for row in (*rows, *done)} | {row.decided_by for row in done}),
        soon=colleague.at + SOON,
        me=str(colleague.actor),
    )
    if news:
        proposals.see_decided(by=colleague.actor, at=colleague.at)
    return shown


@require_safe
@page(*VIEWERS)
def one(colleague: Colleague, proposal: str) -> HttpResponse:
    """One of them: what stands, what was asked for, what it would do now."""
    return _shown(colleague, _named(proposal), DecisionForm())


@require_POST
@page(*VIEWERS)
def decide(colleague: Colleague, proposal: str) -> HttpResponse:
    """It is agreed to, refused, or taken back."""
    row, form, deed = _named(proposal), DecisionForm(colleague.given), colleague.sent("deed")
    if deed != "withdraw" and row.matter in MATTERS:
        colleague.demand(MATTERS[row.matter].deciders)
    approve: Callable[..., Proposal] = partial(proposals.approve, seen=colleague.sent("seen"))
    verbs = {"approve": approve, "refuse": proposals.refuse, "withdraw": proposals.withdraw}
    if deed not in verbs:
        raise Http404
    if form.is_valid():
        because = form.cleaned_data["because"]
        try:
            if colleague.sends_first():
                with colleague.sends_again():
                    colleague.audit(f"proposal.{deed}", row.public_id, because, matter=row.matter, of=row.about)
                    made = verbs[deed](row.pk, because, by=colleague.actor, at=colleague.at)
                colleague.tell(made.outcome or DONE[deed])
                if made.once:
                    colleague.tell(made.once)
        except Refusal as refusal:
            colleague.audit(f"proposal.{deed}.refused", row.public_id, code=refusal.code)
            show_errors(form, refusal)
        else:
            return redirect("proposal", row.public_id)
    return _shown(colleague, _named(proposal), form)


DONE: dict[str, Words] = {
    "approve": gettext_lazy("Executed."),
    "refuse": gettext_lazy("Rejected. The requester will see the reason."),
    "withdraw": gettext_lazy("Withdrawn by you."),
}


def _named(proposal: str) -> Proposal:
    key = ids.parse(Proposal.prefix, proposal)
    row = Proposal.objects.filter(pk=key).first() if key else None
    if row is None or row.matter not in MATTERS:
        raise Http404
    return row


def _shown(colleague: Colleague, row: Proposal, form: DecisionForm) -> HttpResponse:
    matter, is_open = MATTERS[row.matter], row.state == Proposal.State.OPEN
    context: dict[str, Any] = {}
    if is_open:
        context = _now(colleague, row, matter)
    return colleague.show(
        "office/proposal.html",
        matter.label,
        status=422 if form.errors else 200,
        row=row,
        back=_address(matter, row),
        differences=differences(matter, row),
        names=names_of({row.asked_by, row.decided_by}),
        form=form,
        mine=row.asked_by == str(colleague.actor),
        decides=is_open and colleague.may(matter.deciders),
        **context,
    )


def _now(colleague: Colleague, row: Proposal, matter: Matter) -> dict[str, Any]:
    """What agreeing would do now, or why it cannot be agreed to."""
    found: dict[str, Any] = {"hindrance": proposals.hindrance(row, by=colleague.actor, at=colleague.at)}
    try:
        found["says"] = matter.says(row.about, row.wish, colleague.at)
        found["moves"] = _moves(colleague, row, matter)
        found["seen"] = seal_of(found["moves"])
    except Refusal as refusal:
        found["refused"] = refusal.detail
    return found


def _moves(colleague: Colleague, row: Proposal, matter: Matter) -> Sequence[Posting]:
    verb = matter.verb
    if verb is None or verb.books is None:
        return []
    found = found_row(verb, row.about)
    form = bound(verb, found, row.wish, row.why)
    if not form.is_valid():
        return []
    by, at = colleague.actor.agreed(colleague.actor), moment_of(found, colleague.at)
    return postings_of(partial(verb.run, found.pk, form.cleaned_data, by, at), verb.books(found))


def differences(matter: Matter, row: Proposal) -> list[Difference]:
    """What stands and what was asked for, side by side, what changes first."""
    wanted = matter.wanted(row.about, row.wish)
    names = {**matter.names, **NAMES}
    rows = [
        Difference(_called(name, names), _text(row.before.get(name), name), _text(wanted.get(name), name))
        for name in {**wanted, **row.before}
    ]
    return sorted(rows, key=lambda one: not one.changed)


def _called(name: str, names: Mapping[str, Words]) -> Words:
    """What a part is called; one of each currency has its code behind."""
    head, _line, code = name.rpartition("_")
    return f"{names[head]} {code}" if head in names and code.isupper() else names.get(name, name)


def _text(value: object, name: str) -> Words:
    if name == "roles" and value:
        return roles(value.split(", ") if isinstance(value, str) else value if isinstance(value, list) else ())
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _address(matter: Matter, row: Proposal) -> str:
    try:
        return matter.address(row.about)
    except NotFound:
        return ""


def _label(row: Proposal) -> Words:
    return MATTERS[row.matter].label if row.matter in MATTERS else row.matter


def _may(colleague: Colleague, row: Proposal) -> bool:
    """Whether it waits for this colleague."""
    deciders = MATTERS[row.matter].deciders if row.matter in MATTERS else ()
    return row.asked_by != str(colleague.actor) and belongs(colleague.user, deciders)
