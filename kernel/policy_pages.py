"""A page at which colleagues publish another version of a policy, and the matter that a second one agrees to."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.actor import Actor
from kernel.actor_names import names_of
from kernel.console_actions import Colleague, VerbForm, Words, deed
from kernel.forms import SinceField
from kernel.maker_checker import Matter, Plain, ask_second
from kernel.refusal import FieldError, Invalid, Refusal
from kernel.versions import PolicyVersion, in_force, marked, newest, publish_version

SHOWN_MAX = 20
#: From when on the terms count: asked beside them, and no term itself.
SINCE = "effective_from"
AHEAD_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy: who publishes it, the form it is written with, and what can be said of its terms."""

    #: What the matter, and the page, are called.
    name: str
    label: Words
    matter: Words
    model: type[PolicyVersion]
    publishers: tuple[str, ...]
    form: type[VerbForm]
    #: The form's fields for given terms; and the terms that its fields make.
    fields: Callable[[Plain], Plain]
    terms: Callable[[Plain], Plain]
    #: Whether they could be published for this reason. Refuses what could not.
    judge: Callable[[Plain, str], None]
    #: What they would change now.
    foresee: Callable[[Plain, datetime], Words]

    @property
    def address(self) -> str:
        return reverse(f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_changelist")


def publish_page(policy: Policy, colleague: Colleague) -> HttpResponse:
    """Another version, written from the newest one or from an older one to go back to, counts from its day on."""
    versions = list(policy.model._default_manager.order_by("-version")[:SHOWN_MAX])
    now, wanted = in_force(policy.model, at=colleague.at), colleague.request.GET.get("version", "")
    source = next((row for row in versions if str(row.version) == wanted), versions[0])
    form = policy.form(colleague.given, row=versions[0], initial=policy.fields(source.terms))
    form.fields[SINCE] = SinceField()
    form.order_fields([*(name for name in form.fields if name not in {SINCE, "note"}), SINCE, "note"])
    return deed(
        colleague,
        gettext_lazy("Publish a version"),
        about=str(policy.label),
        back=policy.address,
        form=form,
        preview=partial(_before, policy, now, form, colleague.at),
        run=partial(_ask, policy, colleague),
        moves=partial(_moves, policy, colleague.at),
        template="console/versions.html",
        look=gettext_lazy("Preview the impact"),
        page=policy.name,
        versions=[(row, stands, list(_named(policy, row.terms).items())) for row, stands in marked(versions, now)],
        source=source,
        names=names_of(row.by for row in versions),
    )


def matter_of_policy(policy: Policy) -> Matter:
    """What a second colleague agrees to."""
    return Matter(
        name=policy.name,
        label=policy.matter,
        askers=policy.publishers,
        deciders=policy.publishers,
        stands=partial(_stands, policy),
        wanted=partial(_wanted, policy),
        says=partial(_says, policy),
        run=partial(_run, policy),
        address=partial(_address, policy),
        names=_labels(policy) | {"version": gettext_lazy("Version"), SINCE: gettext_lazy("Effective from")},
    )


def _labels(policy: Policy) -> dict[str, Words]:
    return {name: field.label or name for name, field in policy.form.base_fields.items() if name != "note"}


def _named(policy: Policy, terms: Plain) -> dict[Words, Any]:
    """What a version says, each of its fields by its label, in the words of the form."""
    said, labels, fields = policy.fields(terms), _labels(policy), policy.form.base_fields
    words = {name: dict(getattr(fields[name], "choices", ())).get(said[name], said[name]) for name in labels}
    words = {
        name: {True: _("yes"), False: _("no")}[word] if type(word) is bool else word for name, word in words.items()
    }
    return {label: words[name] for name, label in labels.items() if words[name] not in ("", None)}


def _before(policy: Policy, now: PolicyVersion, form: VerbForm, at: datetime) -> Words:
    """What is in force; and once other terms are written, what they would change."""
    says = _(
        "Version %(version)d is in effect. A new version applies from its effective time and does not change the past."
    )
    twice = _("Two people required: executed only after a second colleague approves.")
    said = f"{says % {'version': now.version}} {twice}"
    if not (form.is_bound and form.is_valid()):
        return said
    try:
        _moves(policy, at, form.cleaned_data)
    except Refusal:
        return said
    return f"{said} {policy.foresee(_terms(policy, form.cleaned_data), at)}"


def _terms(policy: Policy, wish: Plain) -> Plain:
    return policy.terms({name: value for name, value in wish.items() if name != SINCE})


def _moves(policy: Policy, at: datetime, wish: Plain) -> list[Any]:
    """Nothing moves in the book, if it could be published at all."""
    if wish[SINCE] and not at <= wish[SINCE] <= at + AHEAD_MAX:
        raise Invalid(errors=[FieldError(f"/{SINCE}", _("Must be within one year from now."))])
    policy.judge(_terms(policy, wish), wish["note"])
    return []


def _ask(policy: Policy, colleague: Colleague, wish: Plain) -> Words:
    """Nobody publishes alone. What could not be published is not asked for either."""
    _moves(policy, colleague.at, wish)
    day = {SINCE: wish[SINCE].isoformat()} if wish[SINCE] else {}
    return ask_second(colleague, policy.name, policy.name, _terms(policy, wish) | day, wish["note"])


def _stands(policy: Policy, about: str) -> Plain:
    del about
    last = newest(policy.model)
    return {"version": last.version, **policy.fields(last.terms)}


def _wanted(policy: Policy, about: str, wish: Plain) -> Plain:
    del about
    return policy.fields(_without_day(wish)) | ({SINCE: wish[SINCE]} if SINCE in wish else {})


def _says(policy: Policy, about: str, wish: Plain, at: datetime) -> Words:
    del about
    return policy.foresee(_without_day(wish), at)


def _run(policy: Policy, about: str, wish: Plain, why: str, by: Actor, at: datetime) -> Words:  # noqa: PLR0917
    del about
    terms, after = _without_day(wish), newest(policy.model).version
    policy.judge(terms, why)
    since = datetime.fromisoformat(wish[SINCE]) if SINCE in wish else None
    made = publish_version(policy.model, terms, why, after=after, since=since, by=by, at=at)
    if made.effective_from > at:
        return _("Version %(version)d is published and applies from its effective time.") % {"version": made.version}
    return _("Version %(version)d is now in effect.") % {"version": made.version}


def _without_day(wish: Plain) -> Plain:
    return {name: value for name, value in wish.items() if name != SINCE}


def _address(policy: Policy, about: str) -> str:
    del about
    return policy.address
