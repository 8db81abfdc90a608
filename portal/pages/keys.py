"""Keys of the API: made, exchanged and revoked. A secret is shown once."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from merchants import services as tenant
from merchants.models import ApiKey
from merchants.rules import ALL_SCOPES, LIVE_KEYS_MAX, may_add
from portal import queries, wording
from portal.forms import ask
from portal.rules import may_issue
from portal.services.keys import revoke_own_key, rotate_key
from portal.staff import Staff, page

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class NewKey(forms.Form):
    """What it is called and may do."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=60, required=False, help_text=gettext_lazy("Where it is used")
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Permissions granted"), widget=forms.CheckboxSelectMultiple, initial=list(ALL_SCOPES)
    )

    def __init__(self, *args: Any, role: str, mode: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [scope for scope in ALL_SCOPES if not (mode == "live" and scope == "sandbox")]
        scopes = [scope for scope in offered if may_issue(role, mode, [scope])]
        self.fields["scopes"].choices = [(s, wording.SCOPES[s]) for s in scopes]  # type: ignore[attr-defined]


@require_safe
@page("keys")
def keys(staff: Staff) -> HttpResponse:
    rows = list(ApiKey.objects.filter(merchant=staff.merchant).order_by("revoked_at", "-pk"))
    rows.sort(key=lambda row: row.revoked_at is not None)
    live = [row for row in rows if row.revoked_at is None]
    kinds = [(row.name, row.scopes) for row in live]
    mine = [row for row in live if may_issue(staff.member.role, staff.mode, row.scopes)]
    rotatable = {row.id for row in mine if may_add(kinds, row.name, row.scopes)}
    return staff.show("portal/keys.html", rows=rows, more=len(live) < LIVE_KEYS_MAX, rotatable=rotatable)


@_FORM
@page("add_key")
def add_key(staff: Staff) -> HttpResponse:
    form = NewKey(staff.given, role=staff.member.role, mode=staff.mode)

    def run(given: dict[str, Any]) -> HttpResponse:
        key, secret = tenant.issue_key(
            staff.merchant.id, scopes=given["scopes"], name=given["name"], by=staff.actor, at=staff.at
        )
        return _shown_once(staff, key, secret)

    title, lead = _("Create key"), _("The secret is shown only once. Grant only the permissions it needs.")
    if not may_issue(staff.member.role, staff.mode, ALL_SCOPES):
        lead = _("The secret is shown only once. In live mode, only an owner can create keys with write access.")
    return ask(staff, form, run, title=title, button=title, back=staff.url("keys"), lead=lead)


@_FORM
@page("rotate_key")
def rotate(staff: Staff, key: str) -> HttpResponse:
    """A twin of the key is made; the old one works on until it is revoked."""
    found = queries.key_of(staff.merchant.id, staff.named("key", key))

    def run(_given: dict[str, Any]) -> HttpResponse:
        if not may_issue(staff.member.role, staff.mode, found.scopes):
            return staff.show("portal/forbidden.html", status=403)
        made, secret = rotate_key(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        return _shown_once(staff, made, secret)

    lead = _(
        "Creates a second key with the same permissions. Put it in place, then revoke the old one; both work until"
        " then."
    )
    title = _("Rotate key")
    return ask(
        staff,
        forms.Form(staff.given),
        run,
        title=title,
        button=title,
        back=staff.url("keys"),
        lead=lead,
        about=found.hint,
    )


@_FORM
@page("revoke_key")
def revoke(staff: Staff, key: str) -> HttpResponse:
    found = queries.key_of(staff.merchant.id, staff.named("key", key))

    def run(_given: dict[str, Any]) -> HttpResponse:
        revoke_own_key(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        staff.tell(_("The key is no longer valid."))
        return staff.to("keys")

    lead = _("Requests that still use it are rejected immediately. This cannot be undone.")
    title = _("Revoke key")
    return ask(
        staff,
        forms.Form(staff.given),
        run,
        title=title,
        button=title,
        back=staff.url("keys"),
        lead=lead,
        danger=True,
        about=found.hint,
    )


def _shown_once(staff: Staff, key: ApiKey, secret: str) -> HttpResponse:
    shown: dict[str, Any] = {
        "secret": secret,
        "title": _("Your new key"),
        "back": staff.url("keys"),
        "what": key.name or key.hint,
    }
    return staff.show("portal/secret.html", curl=True, base_url=settings.BASE_URL, **shown)
