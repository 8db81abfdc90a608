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
from kernel.desk import Done, Verb, VerbForm, Words
from kernel.naming import ROLE, roles, value


def _holds_second(person: Person) -> bool:
    return person.user is not None and second_factor.has_one(person.user)


def _colleague_holds_second(user: User) -> bool:
    return user.is_staff and second_factor.has_one(user)


def _before_colleague(user: User, at: datetime) -> Words:
    del at
    says = _("The app, the passkeys and the codes of %(name)s count no more. Another is set up with an enrolment code.")
    return says % {"name": str(user)}


def _forget_colleague(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    second_factor.remove_all(key, by=by, at=at, note=wish["note"])
    return _("The second step is off.")


def _is_newcomer(user: User) -> bool:
    return user.is_staff and user.is_active and not user.has_usable_password()


def _needs_code(user: User) -> bool:
    return _is_newcomer(user) or (user.is_active and second_factor.wants_code(user))


def _before_code(user: User, at: datetime) -> Words:
    del at
    if _is_newcomer(user):
        return before_joining(str(user))
    says = _(
        "%(name)s sets up a second step with this code and the password. It is shown once, here, and is good once and"
        " for a day; one before it counts no more. Say it in person, to whoever you know to be this colleague."
    )
    return says % {"name": str(user)}


def before_joining(name: str) -> Words:
    """What the code of a newcomer is for."""
    says = _(
        "%(name)s chooses a password with an enrolment code, at the link below the sign-in. It is shown once, to"
        " whoever agrees, and is good once and for a day; one before it counts no more. Say it in person, to whoever"
        " you know to be this colleague, and see that they have joined."
    )
    return says % {"name": name}


def _give_code(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    code = enrolment.give_code(key, note=wish["note"], by=by, at=at)
    return told_once(_("An enrolment code was given."), code)


def _before_new_password(user: User, at: datetime) -> Words:
    del at
    says = _(
        "The password of %(name)s opens nothing any more, and where they are signed in that ends. They choose another"
        " one with an enrolment code, at the link below the sign-in; roles, second step and what they have in hand"
        " stay. The code is shown once, to whoever agrees: say it in person, to whoever you know to be this colleague."
    )
    return says % {"name": str(user)}


def _new_password(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    user, code = colleagues.ask_new_password(key, note=wish["note"], by=by, at=at)
    return told_once(_("%(name)s may choose another password.") % {"name": str(user)}, code)


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
        "The app, the passkeys and the codes count no more: the code to their phone alone signs in. They are told at"
        " once. Do this only for somebody who has proved by their real name that they are this person."
    )


def _forget(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    del at  # what is done to an account is done in real time
    person = Person.objects.select_related("user").get(pk=key)
    if person.user is not None:
        second_factor.remove_all(person.user.id, by=by, at=live_now(), note=wish["note"])
    return _("The second step is off, and the person is told.")


#: What a colleague may be, in words: each line of a page is in its reader's language.
NAMED_ROLES = [(role, lazy(partial(value, role, ROLE), str)()) for role in ROLES]


class RolesForm(VerbForm):
    """Which roles they have from then on."""

    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"),
        choices=NAMED_ROLES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None: they see nothing of the console any more."),
    )

    def __init__(self, *args: Any, row: User, **kwargs: Any) -> None:
        super().__init__(*args, row=row, initial={"roles": colleagues.roles_of(row)}, **kwargs)


def _before_roles(user: User, at: datetime) -> Words:
    del at
    says = _("%(name)s has these roles: %(roles)s. Others count from their next page on.")
    return says % {"name": str(user), "roles": roles(colleagues.roles_of(user))}


def _give_roles(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    user = colleagues.change_roles(key, wish["roles"], note=wish["note"], by=by, at=at)
    return _("%(name)s has these roles: %(roles)s.") % {
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
        gettext_lazy("Change the roles"),
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
        gettext_lazy("Switch the second step off"),
        ("supervisor",),
        _before_forget,
        _forget,
        fits=_holds_second,
    ),
    Verb(
        "forget_colleague",
        User,
        gettext_lazy("Switch the second step off"),
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
        gettext_lazy("Give an enrolment code"),
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
        gettext_lazy("The password is forgotten"),
        ("supervisor",),
        _before_new_password,
        _new_password,
        fits=_has_password,
        second=_always,
        stands=colleagues.stands,
    ),
]
