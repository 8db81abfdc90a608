"""Console actions on accounts: remove second factors, issue enrolment codes, reset passwords, change roles."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.utils.formats import date_format
from django.utils.functional import lazy
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import colleagues, enrolment, second_factor
from accounts.models import Person, User
from accounts.services import ROLES
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.console_actions import ActionResult, ReasonForm, RowAction, StrOrPromise
from kernel.labels import ROLE, role_labels, value_label


def _has_second_factor(person: Person) -> bool:
    return person.user is not None and second_factor.has_second_factor(person.user)


def _colleague_has_second_factor(user: User) -> bool:
    return user.is_staff and second_factor.has_second_factor(user)


def _preview_colleague_reset(user: User, at: datetime) -> StrOrPromise:
    del at
    text = _(
        "The authenticator app, passkeys and recovery codes of %(name)s stop working. They set up a new method with an"
        " enrolment code."
    )
    return text % {"name": str(user)}


def _reset_colleague_factors(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    second_factor.remove_all_factors(key, by=by, at=at, note=data["note"])
    return _("Two-step verification is off.")


def _awaits_password(user: User) -> bool:
    return user.is_staff and user.is_active and not user.has_usable_password()


def _needs_code(user: User) -> bool:
    return _awaits_password(user) or (user.is_active and second_factor.needs_enrolment_code(user))


def _preview_code(user: User, at: datetime) -> StrOrPromise:
    del at
    if _awaits_password(user):
        return preview_joining(str(user))
    text = _(
        "%(name)s sets up two-step verification with this code and their password. It is shown only here and now,"
        " works once and expires in one day; any earlier code stops working. Give it in person to someone you know"
        " to be this colleague."
    )
    return text % {"name": str(user)}


def preview_joining(name: str) -> StrOrPromise:
    """The preview text for issuing a code to a new colleague."""
    text = _(
        "%(name)s sets a password with an enrolment code, using the link below the sign-in form. The code is shown"
        " once to whoever approves, works once and expires in one day; any earlier code stops working. Give it in"
        " person to someone you know to be this colleague, and make sure they have joined."
    )
    return text % {"name": name}


def _issue_code(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> ActionResult:
    code = enrolment.issue_code(key, note=data["note"], by=by, at=at)
    return result_with_code(_("Enrolment code issued."), code)


def _preview_password_reset(user: User, at: datetime) -> StrOrPromise:
    del at
    text = _(
        "The password of %(name)s stops working and all their sessions end. They set a new one with an enrolment"
        " code, using the link below the sign-in form; roles, two-step verification and assigned items stay. The"
        " code is shown once to whoever approves: give it in person to someone you know to be this colleague."
    )
    return text % {"name": str(user)}


def _reset_password(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> ActionResult:
    user, code = colleagues.reset_password(key, note=data["note"], by=by, at=at)
    return result_with_code(_("%(name)s can now set a new password.") % {"name": str(user)}, code)


def _has_password(user: User) -> bool:
    return user.is_staff and user.is_active and user.has_usable_password()


def result_with_code(text: StrOrPromise, code: enrolment.IssuedCode) -> ActionResult:
    """The result of an action, with the enrolment code, which is shown on the next page only."""
    until = date_format(localtime(code.ends_at), "Y-m-d H:i")
    return ActionResult(
        text, secret=_("The enrolment code, good until %(until)s: %(code)s") % {"until": until, "code": code.text}
    )


def _needs_approval(user: User, data: Any) -> bool:
    """Codes for colleagues without a password need approval, as whoever has the code takes over the account."""
    del data
    return _awaits_password(user)


def _preview_person_reset(person: Person, at: datetime) -> StrOrPromise:
    del person, at
    return _(
        "The authenticator app, passkeys and recovery codes stop working; only the text code is needed to sign in."
        " The customer is notified immediately. Do this only after verifying their real identity."
    )


def _reset_person_factors(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    del at  # account changes happen in real time
    person = Person.objects.select_related("user").get(pk=key)
    if person.user is not None:
        second_factor.remove_all_factors(person.user.id, by=by, at=live_now(), note=data["note"])
    return _("Two-step verification is off and the customer has been notified.")


#: Roles with lazily translated names.
ROLE_CHOICES = [(role, lazy(partial(value_label, role, ROLE), str)()) for role in ROLES]


class RolesForm(ReasonForm):
    """The new roles of a colleague."""

    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"),
        choices=ROLE_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None: removes all access to the console."),
    )

    def __init__(self, *args: Any, row: User, **kwargs: Any) -> None:
        super().__init__(*args, row=row, initial={"roles": colleagues.roles_of(row)}, **kwargs)


def _preview_roles(user: User, at: datetime) -> StrOrPromise:
    del at
    text = _("Current roles of %(name)s: %(roles)s. Changes take effect from their next page.")
    return text % {"name": str(user), "roles": role_labels(colleagues.roles_of(user))}


def _change_roles(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    user = colleagues.change_roles(key, data["roles"], note=data["note"], by=by, at=at)
    return _("Roles of %(name)s: %(roles)s.") % {
        "name": str(user),
        "roles": role_labels(colleagues.roles_of(user)),
    }


def _always(user: User, data: Any) -> bool:
    del user, data
    return True


def _is_colleague(user: User) -> bool:
    return user.is_staff


ROW_ACTIONS = [
    RowAction(
        "change_roles",
        User,
        gettext_lazy("Change roles"),
        ("supervisor",),
        _preview_roles,
        _change_roles,
        RolesForm,
        applies_to=_is_colleague,
        needs_approval=_always,
        snapshot=colleagues.current_state,
    ),
    RowAction(
        "forget_second",
        Person,
        gettext_lazy("Turn off two-step verification"),
        ("supervisor",),
        _preview_person_reset,
        _reset_person_factors,
        applies_to=_has_second_factor,
    ),
    RowAction(
        "forget_colleague",
        User,
        gettext_lazy("Turn off two-step verification"),
        ("supervisor",),
        _preview_colleague_reset,
        _reset_colleague_factors,
        applies_to=_colleague_has_second_factor,
        needs_approval=_always,
        snapshot=colleagues.current_state,
    ),
    RowAction(
        "enrolment_code",
        User,
        gettext_lazy("Issue enrolment code"),
        ("supervisor",),
        _preview_code,
        _issue_code,
        applies_to=_needs_code,
        needs_approval=_needs_approval,
        snapshot=colleagues.current_state,
    ),
    RowAction(
        "new_password",
        User,
        gettext_lazy("Reset forgotten password"),
        ("supervisor",),
        _preview_password_reset,
        _reset_password,
        applies_to=_has_password,
        needs_approval=_always,
        snapshot=colleagues.current_state,
    ),
]
