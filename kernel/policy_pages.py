"""The console page on which colleagues publish a new version of a policy, and its approval by a second colleague."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.action_page import render_action
from kernel.actor import Actor
from kernel.actor_names import usernames_of
from kernel.console_actions import Colleague, ReasonForm, StrOrPromise
from kernel.forms import EffectiveFromField
from kernel.maker_checker import ApprovalType, JsonDict, choice_labels, request_approval
from kernel.policy_versions import PolicyVersion, latest_version, publish_version, version_in_force, with_status
from kernel.refusal import FieldError, Invalid, Refusal
from kernel.templatetags.formatting import plain_datetime

VERSIONS_SHOWN_MAX = 20
#: The form field for the effective date. It is not one of the terms.
EFFECTIVE_FROM = "effective_from"
AHEAD_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy: who publishes it, the form for its terms, and how they are validated and previewed."""

    #: The name of the approval type, and of the page.
    name: str
    label: StrOrPromise
    approval_label: StrOrPromise
    model: type[PolicyVersion]
    publishers: tuple[str, ...]
    form: type[ReasonForm]
    #: Converts terms to form fields, and form fields to terms.
    terms_to_fields: Callable[[JsonDict], JsonDict]
    fields_to_terms: Callable[[JsonDict], JsonDict]
    #: Raises Refusal if the terms cannot be published with this reason.
    validate: Callable[[JsonDict, str], None]
    #: Describes what the terms would change now.
    preview_impact: Callable[[JsonDict, datetime], StrOrPromise]

    @property
    def url(self) -> str:
        return reverse(f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_changelist")


def publish_page(policy: Policy, colleague: Colleague) -> HttpResponse:
    """Show the form for a new version, pre-filled from the newest version or from the one in `?version=`."""
    versions = list(policy.model._default_manager.order_by("-version")[:VERSIONS_SHOWN_MAX])
    current, wanted_version = version_in_force(policy.model, at=colleague.at), colleague.request.GET.get("version", "")
    source = next((row for row in versions if str(row.version) == wanted_version), versions[0])
    form = policy.form(colleague.form_data, row=versions[0], initial=policy.terms_to_fields(source.terms))
    form.fields[EFFECTIVE_FROM] = EffectiveFromField()
    form.order_fields([*(name for name in form.fields if name not in {EFFECTIVE_FROM, "note"}), EFFECTIVE_FROM, "note"])
    return render_action(
        colleague,
        gettext_lazy("Publish a version"),
        about=str(policy.label),
        back=policy.url,
        form=form,
        preview=partial(_describe_effect, policy, current, form, colleague.at),
        run=partial(_request_publication, policy, colleague),
        preview_moves=partial(_validate_form, policy, colleague.at),
        template="console/versions.html",
        look=gettext_lazy("Preview the impact"),
        page=policy.name,
        versions=[
            (row, status, list(_labelled_terms(policy, row.terms).items()))
            for row, status in with_status(versions, current)
        ],
        source=source,
        names=usernames_of(row.by for row in versions),
    )


def approval_type_of_policy(policy: Policy) -> ApprovalType:
    """The approval type under which a second colleague approves a version."""
    return ApprovalType(
        name=policy.name,
        label=policy.approval_label,
        requesters=policy.publishers,
        approvers=policy.publishers,
        snapshot=partial(_snapshot, policy),
        requested=partial(_requested, policy),
        preview=partial(_preview, policy),
        run=partial(_publish, policy),
        url=partial(_url, policy),
        field_labels=_labels(policy)
        | {"version": gettext_lazy("Version"), EFFECTIVE_FROM: gettext_lazy("Effective from")},
        choices={name: choice_labels(entry) for name, entry in policy.form.base_fields.items()},
    )


def _labels(policy: Policy) -> dict[str, StrOrPromise]:
    return {name: field.label or name for name, field in policy.form.base_fields.items() if name != "note"}


def _labelled_terms(policy: Policy, terms: JsonDict) -> dict[StrOrPromise, Any]:
    """A version's terms by field label; choices and booleans as the form displays them."""
    values, labels, fields = policy.terms_to_fields(terms), _labels(policy), policy.form.base_fields
    words = {name: dict(getattr(fields[name], "choices", ())).get(values[name], values[name]) for name in labels}
    words = {
        name: {True: _("yes"), False: _("no")}[word] if type(word) is bool else word for name, word in words.items()
    }
    return {label: words[name] for name, label in labels.items() if words[name] not in ("", None)}


def _describe_effect(policy: Policy, now: PolicyVersion, form: ReasonForm, at: datetime) -> StrOrPromise:
    """Describe the version in force and, once the form is filled in, what the new terms would change."""
    effect = _(
        "Version %(version)d is in effect. A new version applies from its effective time and does not change the past."
    )
    approval = _("Two people required: executed only after a second colleague approves.")
    message = f"{effect % {'version': now.version}} {approval}"
    if not (form.is_bound and form.is_valid()):
        return message
    try:
        _validate_form(policy, at, form.cleaned_data)
    except Refusal:
        return message
    return f"{message} {policy.preview_impact(_terms_of(policy, form.cleaned_data), at)}"


def _terms_of(policy: Policy, data: JsonDict) -> JsonDict:
    return policy.fields_to_terms({name: value for name, value in data.items() if name != EFFECTIVE_FROM})


def _validate_form(policy: Policy, at: datetime, data: JsonDict) -> list[Any]:
    """Validate the terms and their effective date. Returns no moves: publishing a policy posts nothing."""
    if data[EFFECTIVE_FROM] and not at <= data[EFFECTIVE_FROM] <= at + AHEAD_MAX:
        raise Invalid(errors=[FieldError(f"/{EFFECTIVE_FROM}", _("Must be within one year from now."))])
    policy.validate(_terms_of(policy, data), data["note"])
    return []


def _request_publication(policy: Policy, colleague: Colleague, data: JsonDict) -> StrOrPromise:
    """Validate the new version and submit it for approval."""
    _validate_form(policy, colleague.at, data)
    day = {EFFECTIVE_FROM: data[EFFECTIVE_FROM].isoformat()} if data[EFFECTIVE_FROM] else {}
    return request_approval(colleague, policy.name, policy.name, _terms_of(policy, data) | day, data["note"])


def _snapshot(policy: Policy, about: str) -> JsonDict:
    del about
    last = latest_version(policy.model)
    return {"version": last.version, **policy.terms_to_fields(last.terms)}


def _requested(policy: Policy, about: str, data: JsonDict) -> JsonDict:
    del about
    return policy.terms_to_fields(_without_effective_from(data)) | (
        {EFFECTIVE_FROM: plain_datetime(datetime.fromisoformat(data[EFFECTIVE_FROM]))} if EFFECTIVE_FROM in data else {}
    )


def _preview(policy: Policy, about: str, data: JsonDict, at: datetime) -> StrOrPromise:
    del about
    return policy.preview_impact(_without_effective_from(data), at)


def _publish(policy: Policy, about: str, data: JsonDict, reason: str, by: Actor, at: datetime) -> StrOrPromise:  # noqa: PLR0917
    del about
    terms, after = _without_effective_from(data), latest_version(policy.model).version
    policy.validate(terms, reason)
    since = datetime.fromisoformat(data[EFFECTIVE_FROM]) if EFFECTIVE_FROM in data else None
    version = publish_version(policy.model, terms, reason, after=after, since=since, by=by, at=at)
    if version.effective_from > at:
        return _("Version %(version)d is published and applies from its effective time.") % {"version": version.version}
    return _("Version %(version)d is now in effect.") % {"version": version.version}


def _without_effective_from(data: JsonDict) -> JsonDict:
    return {name: value for name, value in data.items() if name != EFFECTIVE_FROM}


def _url(policy: Policy, about: str) -> str:
    del about
    return policy.url
