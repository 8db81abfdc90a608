"""Pages of retry policies: the list of versions, and publishing one after a preview of its impact."""

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
from billing.console.retry_policy_forms import TERMS, NewPolicyForm, PolicyForm
from billing.models import RetryPolicy
from billing.planning import Policy
from billing.refusals import PolicyMoved
from billing.services.policy_preview import QUEUE_MAX, SAMPLE_MAX, SHOWN_MAX, Effect, PolicyPreview, preview_policy
from billing.services.retry_policies import publish_policy
from kernel.actor import Actor
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, MenuItem, StrOrPromise, add_errors, console_page
from kernel.maker_checker import ApprovalType, JsonDict, request_approval
from kernel.refusal import Refusal
from kernel.templatetags.formatting import plain_datetime

PUBLISHERS = ("supervisor", "risk")
MENU_ITEM = MenuItem(
    "policies",
    gettext_lazy("Retry policies"),
    gettext_lazy("When and from which payment method debts are retried"),
    VIEWERS,
)


@console_page(*VIEWERS)
def policies(colleague: Colleague) -> HttpResponse:
    """All versions of all policies, with author, reason and status."""
    histories = queries.policy_histories(colleague.at)
    return colleague.render(
        "console/policies.html",
        gettext_lazy("Retry policies"),
        histories=histories,
        names=usernames_of(row.by for history in histories for row in history.versions),
        may=colleague.is_in_groups(PUBLISHERS),
    )


@console_page(*PUBLISHERS)
def new_policy(colleague: Colleague) -> HttpResponse:
    """Publish the first version of a new policy."""
    initial = {"name": "", **msgspec.to_builtins(Policy())}
    return _publish(colleague, NewPolicyForm, initial, "", 0)


@console_page(*PUBLISHERS)
def publish(colleague: Colleague, name: str) -> HttpResponse:
    """Publish a version, based on the one in force or on `?version=` to go back to an older one."""
    latest = RetryPolicy.objects.filter(name=name).order_by("-version").first()
    if latest is None:
        raise Http404
    requested_version = colleague.request.GET.get("version", "")
    old = next((row for row in RetryPolicy.objects.filter(name=name) if str(row.version) == requested_version), None)
    source = old or queries.policy_versions_at([name], colleague.at)[name]
    return _publish(colleague, PolicyForm, source.terms, name, latest.version)


def _publish(
    colleague: Colleague, form_class: type[PolicyForm], initial: dict[str, Any], name: str, latest_version: int
) -> HttpResponse:
    """Show the form, then the impact, then publish if the form is unchanged since the impact was shown."""
    form = form_class(colleague.form_data, initial=initial)
    preview, seen, is_publish = None, "", colleague.posted("step") == "publish"
    if colleague.is_post and form.is_valid():
        name = name or form.cleaned_data["name"]
        try:
            preview = _build_preview(colleague, form, name)
            seen = _fingerprint(form, name, latest_version)
            if is_publish and colleague.posted("seen") == seen:
                if colleague.claim_submission():
                    with colleague.allow_resubmission():
                        message = _request_publication(colleague, form, name, latest_version)
                    colleague.add_message(message)
                return redirect("policies")
        except Refusal as refusal:
            preview = None
            add_errors(form, refusal)
    return colleague.render(
        "console/policy.html",
        gettext_lazy("Publish a version"),
        status=422 if form.errors else 200,
        form=form,
        name=name,
        preview=preview,
        changes=[(TERMS[change.name][0], change) for change in preview.changes] if preview else [],
        seen=seen,
        stale=is_publish and not form.errors,
        bounds={"line": QUEUE_MAX, "sample": SAMPLE_MAX, "shown": SHOWN_MAX},
    )


def _build_preview(colleague: Colleague, form: PolicyForm, name: str) -> PolicyPreview:
    return preview_policy(
        name, form.terms, _effective_from(colleague, form), form.cleaned_data["reason"], at=colleague.at
    )


def _request_publication(colleague: Colleague, form: PolicyForm, name: str, after: int) -> StrOrPromise:
    """Request approval of the version by a second colleague.

    Raises:
        PolicyMoved: another version was published meanwhile.
    """
    if _snapshot(name)["version"] != after:
        raise PolicyMoved
    day = form.cleaned_data["effective_from"]
    data = {"terms": form.terms, "effective_from": day.isoformat() if day else ""}
    return request_approval(colleague, APPROVAL_TYPE, name, data, form.cleaned_data["reason"])


def _effective_from(colleague: Colleague, form: PolicyForm) -> datetime:
    day: datetime | None = form.cleaned_data["effective_from"]
    return day or colleague.at


def _fingerprint(form: PolicyForm, name: str, after: int) -> str:
    """A hash of what was previewed, to publish exactly that."""
    plain = [name, after, form.terms, form.cleaned_data["effective_from"], form.cleaned_data["reason"]]
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


def _latest_version(name: str) -> RetryPolicy | None:
    return RetryPolicy.objects.filter(name=name).order_by("-version").first()


def _snapshot(name: str) -> JsonDict:
    last = _latest_version(name)
    return {"version": last.version, **last.terms} if last else {"version": 0}


def _requested(name: str, data: JsonDict) -> JsonDict:
    del name
    since = data["effective_from"]
    return {**data["terms"], "effective_from": plain_datetime(datetime.fromisoformat(since)) if since else ""}


def _start_of(data: JsonDict, at: datetime) -> datetime:
    return datetime.fromisoformat(data["effective_from"]) if data["effective_from"] else at


def _preview(name: str, data: JsonDict, at: datetime) -> StrOrPromise:
    """How many upcoming deductions the version would move."""
    preview = preview_policy(name, data["terms"], _start_of(data, at), "…", at=at)
    live, looked = (
        sum(count(effect) for effect in preview.effects if effect.live) for count in (_count_moved, _count_checked)
    )
    text = _("%(moved)d of %(looked_at)d upcoming deductions examined would move.")
    return text % {"moved": live, "looked_at": looked}


def _count_moved(effect: Effect) -> int:
    return len(effect.moved)


def _count_checked(effect: Effect) -> int:
    return effect.looked_at


def _publish_version(name: str, data: JsonDict, why: str, by: Actor, at: datetime) -> StrOrPromise:
    last = _latest_version(name)
    after = last.version if last else 0
    result = publish_policy(name, data["terms"], _start_of(data, at), why, after=after, by=by, at=at)
    return _("Version %(version)d of %(name)s is published.") % {"version": result.version, "name": name}


def _url(name: str) -> str:
    del name
    return reverse("policies")


APPROVAL_TYPE = "retry_policy"
APPROVAL_TYPES = [
    ApprovalType(
        name=APPROVAL_TYPE,
        label=gettext_lazy("Publish retry policy"),
        requesters=PUBLISHERS,
        approvers=PUBLISHERS,
        snapshot=_snapshot,
        requested=_requested,
        preview=_preview,
        run=_publish_version,
        url=_url,
        field_labels={name: label for name, (label, _hint) in TERMS.items()}
        | {"effective_from": gettext_lazy("Effective from"), "version": gettext_lazy("Version")},
    )
]
