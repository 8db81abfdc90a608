"""API keys: create, rotate, revoke. A secret is shown only once."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from merchants import services as merchant_services
from merchants.models import ApiKey
from merchants.rules import ALL_SCOPES, LIVE_KEYS_MAX, can_add_key
from portal import labels, queries
from portal.forms import render_form
from portal.rules import may_issue_key
from portal.services.keys import revoke_own_key, rotate_key
from portal.staff import Staff, merchant_page

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class KeyForm(forms.Form):
    """Name and scopes of a key."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=60, required=False, help_text=gettext_lazy("Where it is used")
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Permissions granted"), widget=forms.CheckboxSelectMultiple, initial=list(ALL_SCOPES)
    )

    def __init__(self, *args: Any, role: str, mode: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [scope for scope in ALL_SCOPES if not (mode == "live" and scope == "sandbox")]
        scopes = [scope for scope in offered if may_issue_key(role, mode, [scope])]
        self.fields["scopes"].choices = [(s, labels.SCOPE_LABELS[s]) for s in scopes]  # type: ignore[attr-defined]


@require_safe
@merchant_page("keys")
def key_list(staff: Staff) -> HttpResponse:
    rows = list(ApiKey.objects.filter(merchant=staff.merchant).order_by("revoked_at", "-pk"))
    rows.sort(key=lambda row: row.revoked_at is not None)
    live = [row for row in rows if row.revoked_at is None]
    kinds = [(row.name, row.scopes) for row in live]
    mine = [row for row in live if may_issue_key(staff.member.role, staff.mode, row.scopes)]
    rotatable = {row.id for row in mine if can_add_key(kinds, row.name, row.scopes)}
    return staff.render("portal/keys.html", rows=rows, more=len(live) < LIVE_KEYS_MAX, rotatable=rotatable)


@_FORM
@merchant_page("add_key")
def add_key(staff: Staff) -> HttpResponse:
    form = KeyForm(staff.form_data, role=staff.member.role, mode=staff.mode)

    def run(data: dict[str, Any]) -> HttpResponse:
        key, secret = merchant_services.issue_key(
            staff.merchant.id, scopes=data["scopes"], name=data["name"], by=staff.actor, at=staff.at
        )
        return _render_secret(staff, key, secret)

    title, lead = _("Create key"), _("The secret is shown only once. Grant only the permissions it needs.")
    if not may_issue_key(staff.member.role, staff.mode, ALL_SCOPES):
        lead = _("The secret is shown only once. In live mode, only an owner can create keys with write access.")
    return render_form(staff, form, run, title=title, button=title, back=staff.url("keys"), lead=lead)


@_FORM
@merchant_page("rotate_key")
def rotate_key_page(staff: Staff, key: str) -> HttpResponse:
    """Issue a second key with the same scopes; the old one works until it is revoked."""
    found = queries.api_key_of(staff.merchant.id, staff.parse_id("key", key))

    def run(_data: dict[str, Any]) -> HttpResponse:
        if not may_issue_key(staff.member.role, staff.mode, found.scopes):
            return staff.render("portal/forbidden.html", status=403)
        created, secret = rotate_key(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        return _render_secret(staff, created, secret)

    lead = _(
        "Creates a second key with the same permissions. Put it in place, then revoke the old one; both work until"
        " then."
    )
    title = _("Rotate key")
    return render_form(
        staff,
        forms.Form(staff.form_data),
        run,
        title=title,
        button=title,
        back=staff.url("keys"),
        lead=lead,
        about=found.hint,
    )


@_FORM
@merchant_page("revoke_key")
def revoke_key_page(staff: Staff, key: str) -> HttpResponse:
    found = queries.api_key_of(staff.merchant.id, staff.parse_id("key", key))

    def run(_data: dict[str, Any]) -> HttpResponse:
        revoke_own_key(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        staff.add_message(_("The key is no longer valid."))
        return staff.redirect_to("keys")

    lead = _("Requests that still use it are rejected immediately. This cannot be undone.")
    title = _("Revoke key")
    return render_form(
        staff,
        forms.Form(staff.form_data),
        run,
        title=title,
        button=title,
        back=staff.url("keys"),
        lead=lead,
        danger=True,
        about=found.hint,
    )


def _render_secret(staff: Staff, key: ApiKey, secret: str) -> HttpResponse:
    context: dict[str, Any] = {
        "secret": secret,
        "title": _("Your new key"),
        "back": staff.url("keys"),
        "what": key.name or key.hint,
    }
    return staff.render("portal/secret.html", curl=True, base_url=settings.BASE_URL, **context)
