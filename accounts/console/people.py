"""What is done to somebody's account: a lost second factor off, an enrolment code, and a colleague's roles."""

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
from kernel.console_actions import Done, Verb, VerbForm, Words
from kernel.naming import ROLE, roles, value


def _holds_second(person: Person) -> bool:
    return person.user is not None and second_factor.has_one(person.user)


def _colleague_holds_second(user: User) -> bool:
    return user.is_staff and second_factor.has_one(user)


def _before_colleague(user: User, at: datetime) -> Words:
    del at
    says = _(
        "The authenticator app, passkeys and recovery codes of %(name)s stop working. They set up a new method with an"
        " enrolment code."
    )
    return says % {"name": str(user)}


def _forget_colleague(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    second_factor.remove_all(key, by=by, at=at, note=wish["note"])
    return _("Two-step verification is off.")


def _is_newcomer(user: User) -> bool:
    return user.is_staff and user.is_active and not user.has_usable_password()


def _needs_code(user: User) -> bool:
    return _is_newcomer(user) or (user.is_active and second_factor.wants_code(user))


def _before_code(user: User, at: datetime) -> Words:
    del at
    if _is_newcomer(user):
        return before_joining(str(user))
    says = _(
        "%(name)s sets up two-step verification with this code and their password. It is shown only here and now,"
        " works once and expires in one day; any earlier code stops working. Give it in person to someone you know"
        " to be this colleague."
    )
    return says % {"name": str(user)}


def before_joining(name: str) -> Words:
    """What the code of a newcomer is for."""
    says = _(
        "%(name)s sets a password with an enrolment code, using the link below the sign-in form. The code is shown"
        " once to whoever approves, works once and expires in one day; any earlier code stops working. Give it in"
        " person to someone you know to be this colleague, and make sure they have joined."
    )
    return says % {"name": name}


def _give_code(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    code = enrolment.give_code(key, note=wish["note"], by=by, at=at)
    return told_once(_("Enrolment code issued."), code)


def _before_new_password(user: User, at: datetime) -> Words:
    del at
    says = _(
        "The password of %(name)s stops working and all their sessions end. They set a new one with an enrolment"
        " code, using the link below the sign-in form; roles, two-step verification and assigned items stay. The"
        " code is shown once to whoever approves: give it in person to someone you know to be this colleague."
    )
    return says % {"name": str(user)}


def _new_password(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    user, code = colleagues.ask_new_password(key, note=wish["note"], by=by, at=at)
    return told_once(_("%(name)s can now set a new password.") % {"name": str(user)}, code)


def _has_password(user: User) -> bool:
    return user.is_staff and user.is_active and user.has_usable_password()


def told_once(says: Words, code: enrolment.Code) -> Done:
    """What was done, and the code on the next page alone."""
    until = date_format(localtime(code.ends_at), "Y-m-d H:i")
    return Done(
        says, once=_("The enrolment code, good until %(until)s: %(code)s") % {"until": until, "code": code.text}
    )


def _takes_two(user: User, wish: Any) -> bool:
    """Whoever has the code of a newcomer is that newcomer."""
    del wish
    return _is_newcomer(user)


def _before_forget(person: Person, at: datetime) -> Words:
    del person, at
    return _(
        "The authenticator app, passkeys and recovery codes stop working; only the text code is needed to sign in."
        " The customer is notified immediately. Do this only after verifying their real identity."
    )


def _forget(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    del at  # what is done to an account is done in real time
    person = Person.objects.select_related("user").get(pk=key)
    if person.user is not None:
        second_factor.remove_all(person.user.id, by=by, at=live_now(), note=wish["note"])
    return _("Two-step verification is off and the customer has been notified.")


#: What a colleague may be, in words: each line of a page is in its reader's language.
NAMED_ROLES = [(role, lazy(partial(value, role, ROLE), str)()) for role in ROLES]


class RolesForm(VerbForm):
    """Which roles they have from then on."""

    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"),
        choices=NAMED_ROLES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None: removes all access to the console."),
    )

    def __init__(self, *args: Any, row: User, **kwargs: Any) -> None:
        super().__init__(*args, row=row, initial={"roles": colleagues.roles_of(row)}, **kwargs)


def _before_roles(user: User, at: datetime) -> Words:
    del at
    says = _("Current roles of %(name)s: %(roles)s. Changes take effect from their next page.")
    return says % {"name": str(user), "roles": roles(colleagues.roles_of(user))}


def _give_roles(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    user = colleagues.change_roles(key, wish["roles"], note=wish["note"], by=by, at=at)
    return _("Roles of %(name)s: %(roles)s.") % {
        "name": str(user),
        "roles": roles(colleagues.roles_of(user)),
    }


def _always(user: User, wish: Any) -> bool:
    del user, wish
    return True


def _is_colleague(user: User) -> bool:
    return user.is_staff


VERBS = [
    Verb(
        "change_roles",
        User,
        gettext_lazy("Change roles"),
        ("supervisor",),
        _before_roles,
        _give_roles,
        RolesForm,
        fits=_is_colleague,
        second=_always,
        stands=colleagues.stands,
    ),
    Verb(
        "forget_second",
        Person,
        gettext_lazy("Turn off two-step verification"),
        ("supervisor",),
        _before_forget,
        _forget,
        fits=_holds_second,
    ),
    Verb(
        "forget_colleague",
        User,
        gettext_lazy("Turn off two-step verification"),
        ("supervisor",),
        _before_colleague,
        _forget_colleague,
        fits=_colleague_holds_second,
        second=_always,
        stands=colleagues.stands,
    ),
    Verb(
        "enrolment_code",
        User,
        gettext_lazy("Issue enrolment code"),
        ("supervisor",),
        _before_code,
        _give_code,
        fits=_needs_code,
        second=_takes_two,
        stands=colleagues.stands,
    ),
    Verb(
        "new_password",
        User,
        gettext_lazy("Reset forgotten password"),
        ("supervisor",),
        _before_new_password,
        _new_password,
        fits=_has_password,
        second=_always,
        stands=colleagues.stands,
    ),
]
