"""/ops/colleagues/: list colleagues, and request to add or reinstate one."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts import colleagues
from accounts.console.account_actions import ROLE_CHOICES, RolesForm, preview_joining, result_with_code
from accounts.models import User
from kernel.action_page import render_action
from kernel.actor import Actor
from kernel.console_actions import (
    ActionResult,
    Colleague,
    MenuItem,
    ReasonForm,
    RowAction,
    StrOrPromise,
    console_page,
)
from kernel.console_lists import detail_url
from kernel.labels import role_labels
from kernel.maker_checker import ApprovalType, JsonDict, request_approval
from kernel.refusal import NotFound

SUPERVISORS = ("supervisor",)
MENU_ITEM = MenuItem(
    "colleagues", gettext_lazy("Colleagues"), gettext_lazy("Staff accounts: active, new and leaving"), SUPERVISORS
)
_FORM = require_http_methods(["GET", "HEAD", "POST"])
_NEW_COLLEAGUE = "new_colleague"


class NewColleagueForm(ReasonForm):
    """The username and roles of a new colleague."""

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=64,
        help_text=gettext_lazy(
            "Lowercase letters, digits, dots and hyphens. Used to sign in and cannot be changed later."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"), choices=ROLE_CHOICES, widget=forms.CheckboxSelectMultiple
    )


class ReinstateForm(RolesForm):
    """The roles of a reinstated colleague."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].required = True
        self.fields["roles"].help_text = ""


@require_safe
@console_page(*SUPERVISORS)
def colleague_list(colleague: Colleague) -> HttpResponse:
    """All colleagues with their roles and status."""
    rows = [(row, detail_url(row.user)) for row in colleagues.list_colleagues()]
    return colleague.render("console/colleagues.html", MENU_ITEM.label, rows=rows)


@_FORM
@console_page(*SUPERVISORS)
def new_colleague(colleague: Colleague) -> HttpResponse:
    """Request approval for a new colleague."""
    return render_action(
        colleague,
        gettext_lazy("A new colleague"),
        about=str(MENU_ITEM.label),
        back=reverse("colleagues"),
        form=NewColleagueForm(colleague.form_data, row=None),
        preview=_preview_new_colleague,
        run=partial(_request_new_colleague, colleague),
    )


def _preview_new_colleague() -> StrOrPromise:
    two = _("Two people required: executed only after a second colleague approves.")
    name = _("Recipient: your new colleague")
    return f"{preview_joining(name)} {two}"


def _request_new_colleague(colleague: Colleague, data: dict[str, Any]) -> StrOrPromise:
    username, roles = data["username"], {"roles": sorted(data["roles"])}
    return request_approval(colleague, _NEW_COLLEAGUE, username, roles, data["note"])


def _current_state(username: str) -> JsonDict:
    """The state before: no such user."""
    colleagues.validate_username(username)
    return {"roles": ""}


def _requested_state(username: str, data: JsonDict) -> JsonDict:
    del username
    return {"roles": ", ".join(data["roles"])}


def _describe_request(username: str, data: JsonDict, at: datetime) -> StrOrPromise:
    del data, at
    colleagues.validate_username(username)
    return preview_joining(username)


def _add_colleague(username: str, data: JsonDict, reason: str, by: Actor, at: datetime) -> ActionResult:
    user, code = colleagues.add_colleague(username, data["roles"], note=reason, by=by, at=at)
    return result_with_code(_("%(name)s is added with these roles: %(roles)s.") % _name_and_roles(user), code)


def _colleague_url(username: str) -> str:
    """The colleague's page, once they exist."""
    user = User.objects.filter(username=username, is_staff=True).first()
    if user is None:
        raise NotFound
    return detail_url(user)


def _name_and_roles(user: User) -> dict[str, str]:
    return {"name": str(user), "roles": role_labels(colleagues.roles_of(user))}


APPROVAL_TYPES = [
    ApprovalType(
        name=_NEW_COLLEAGUE,
        label=gettext_lazy("A new colleague"),
        requesters=SUPERVISORS,
        approvers=SUPERVISORS,
        snapshot=_current_state,
        requested=_requested_state,
        preview=_describe_request,
        run=_add_colleague,
        url=_colleague_url,
        field_labels={},
    )
]


def _preview_reinstate(user: User, at: datetime) -> StrOrPromise:
    del at
    return preview_joining(str(user))


def _reinstate(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> ActionResult:
    user, code = colleagues.reinstate(key, data["roles"], note=data["note"], by=by, at=at)
    return result_with_code(_("%(name)s is added with these roles: %(roles)s.") % _name_and_roles(user), code)


def _always(user: User, data: Any) -> bool:
    del user, data
    return True


def _has_left(user: User) -> bool:
    return user.is_staff and not user.is_active


ROW_ACTIONS = [
    RowAction(
        "let_back_in",
        User,
        gettext_lazy("Restore account"),
        SUPERVISORS,
        _preview_reinstate,
        _reinstate,
        ReinstateForm,
        applies_to=_has_left,
        needs_approval=_always,
        snapshot=colleagues.current_state,
    ),
]
