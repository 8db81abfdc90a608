"""Retry policies: which there are, and publishing a version after having seen what it changes."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import queries
from billing.console.terms import TERMS, NewPolicyForm, PolicyForm
from billing.models import RetryPolicy
from billing.planning import Policy
from billing.refusals import PolicyMoved
from billing.services.foresee import LINE_MAX, SAMPLE_MAX, SHOWN_MAX, Effect, Foresight, foresee_policy
from billing.services.policies import publish_policy
from kernel.actor import Actor
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, Desk, Words, page, show_errors
from kernel.maker_checker import Matter, Plain, ask_second
from kernel.refusal import Refusal

PUBLISHERS = ("supervisor", "risk")
DESK = Desk(
    "policies",
    gettext_lazy("Retry policies"),
    gettext_lazy("When and from which payment method debts are retried"),
    VIEWERS,
)


@page(*VIEWERS)
def policies(colleague: Colleague) -> HttpResponse:
    """Every version of every policy, who published it and why, and which one counts."""
    shelves = queries.policy_shelves(colleague.at)
    return colleague.show(
        "console/policies.html",
        gettext_lazy("Retry policies"),
        shelves=shelves,
        names=names_of(row.by for shelf in shelves for row in shelf.versions),
        may=colleague.may(PUBLISHERS),
    )


@page(*PUBLISHERS)
def new_policy(colleague: Colleague) -> HttpResponse:
    """The first version of a policy."""
    begun = {"name": "", **msgspec.to_builtins(Policy())}
    return _publish(colleague, NewPolicyForm, begun, "", 0)


@page(*PUBLISHERS)
def publish(colleague: Colleague, name: str) -> HttpResponse:
    """Another version, written from the one in force or from an older one to go back to."""
    last = RetryPolicy.objects.filter(name=name).order_by("-version").first()
    if last is None:
        raise Http404
    wanted = colleague.request.GET.get("version", "")
    old = next((row for row in RetryPolicy.objects.filter(name=name) if str(row.version) == wanted), None)
    source = old or queries.versions_at([name], colleague.at)[name]
    return _publish(colleague, PolicyForm, source.terms, name, last.version)


def _publish(
    colleague: Colleague, form_class: type[PolicyForm], begun: dict[str, Any], name: str, last: int
) -> HttpResponse:
    """The form; what it would change; and, once that was looked at unchanged, the deed."""
    form = form_class(colleague.given, initial=begun)
    foresight, seen, publishes = None, "", colleague.sent("step") == "publish"
    if colleague.posts and form.is_valid():
        name = name or form.cleaned_data["name"]
        try:
            foresight = _foreseen(colleague, form, name)
            seen = _digest(form, name, last)
            if publishes and colleague.sent("seen") == seen:
                colleague.tell(_asked(colleague, form, name, last))
                return redirect("policies")
        except Refusal as refusal:
            foresight = None
            show_errors(form, refusal)
    return colleague.show(
        "console/policy.html",
        gettext_lazy("Publish a version"),
        status=422 if form.errors else 200,
        form=form,
        name=name,
        foresight=foresight,
        changes=[(TERMS[change.name][0], change) for change in foresight.changes] if foresight else [],
        seen=seen,
        stale=publishes and not form.errors,
        bounds={"line": LINE_MAX, "sample": SAMPLE_MAX, "shown": SHOWN_MAX},
    )


def _foreseen(colleague: Colleague, form: PolicyForm, name: str) -> Foresight:
    return foresee_policy(name, form.terms, _day(colleague, form), form.cleaned_data["reason"], at=colleague.at)


def _asked(colleague: Colleague, form: PolicyForm, name: str, after: int) -> Words:
    """Nobody publishes alone: it is put before a second colleague.

    Raises:
        PolicyMoved: another version was published meanwhile.
    """
    if _stands(name)["version"] != after:
        raise PolicyMoved
    day = form.cleaned_data["effective_from"]
    wish = {"terms": form.terms, "effective_from": day.isoformat() if day else ""}
    return ask_second(colleague, MATTER, name, wish, form.cleaned_data["reason"])


def _day(colleague: Colleague, form: PolicyForm) -> datetime:
    day: datetime | None = form.cleaned_data["effective_from"]
    return day or colleague.at


def _digest(form: PolicyForm, name: str, after: int) -> str:
    """What was looked at, so that what is published is the same."""
    plain = [name, after, form.terms, form.cleaned_data["effective_from"], form.cleaned_data["reason"]]
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


def _last(name: str) -> RetryPolicy | None:
    return RetryPolicy.objects.filter(name=name).order_by("-version").first()


def _stands(name: str) -> Plain:
    last = _last(name)
    return {"version": last.version, **last.terms} if last else {"version": 0}


def _wanted(name: str, wish: Plain) -> Plain:
    del name
    return {**wish["terms"], "effective_from": wish["effective_from"]}


def _begins(wish: Plain, at: datetime) -> datetime:
    return datetime.fromisoformat(wish["effective_from"]) if wish["effective_from"] else at


def _says(name: str, wish: Plain, at: datetime) -> Words:
    """What it would move now."""
    seen = foresee_policy(name, wish["terms"], _begins(wish, at), "…", at=at)
    live, looked = (sum(count(effect) for effect in seen.effects if effect.live) for count in (_moved, _looked))
    says = _("%(moved)d of %(looked_at)d upcoming deductions examined would move.")
    return says % {"moved": live, "looked_at": looked}


def _moved(effect: Effect) -> int:
    return len(effect.moved)


def _looked(effect: Effect) -> int:
    return effect.looked_at


def _run(name: str, wish: Plain, why: str, by: Actor, at: datetime) -> Words:
    last = _last(name)
    after = last.version if last else 0
    made = publish_policy(name, wish["terms"], _begins(wish, at), why, after=after, by=by, at=at)
    return _("Version %(version)d of %(name)s is published.") % {"version": made.version, "name": name}


def _address(name: str) -> str:
    del name
    return reverse("policies")


MATTER = "retry_policy"
MATTERS = [
    Matter(
        name=MATTER,
        label=gettext_lazy("Publish retry policy"),
        askers=PUBLISHERS,
        deciders=PUBLISHERS,
        stands=_stands,
        wanted=_wanted,
        says=_says,
        run=_run,
        address=_address,
        names={name: label for name, (label, _hint) in TERMS.items()}
        | {"effective_from": gettext_lazy("Effective from"), "version": gettext_lazy("Version")},
    )
]
