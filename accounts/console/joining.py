"""/ops/colleagues/: who of us is here and who has left; two let somebody new in, or back in."""

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
from accounts.console.people import NAMED_ROLES, RolesForm, before_joining, told_once
from accounts.models import User
from kernel.actor import Actor
from kernel.console_actions import Colleague, Desk, Done, Verb, VerbForm, Words, deed, page
from kernel.console_lists import page_of
from kernel.maker_checker import Matter, Plain, ask_second
from kernel.naming import roles
from kernel.refusal import NotFound

LET_IN = ("supervisor",)
DESK = Desk("colleagues", gettext_lazy("Colleagues"), gettext_lazy("Staff accounts: active, new and leaving"), LET_IN)
_FORM = require_http_methods(["GET", "HEAD", "POST"])
_NEW = "new_colleague"


class NewcomerForm(VerbForm):
    """How they will sign in, and what they may do."""

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=64,
        help_text=gettext_lazy(
            "Lowercase letters, digits, dots and hyphens. Used to sign in and cannot be changed later."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"), choices=NAMED_ROLES, widget=forms.CheckboxSelectMultiple
    )


class ReturnForm(RolesForm):
    """Which roles they come back with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].required = True
        self.fields["roles"].help_text = ""


@require_safe
@page(*LET_IN)
def everybody(colleague: Colleague) -> HttpResponse:
    """Each with their roles, and whether they are waited for, have a second step, or have left."""
    rows = [(row, page_of(row.user)) for row in colleagues.everybody()]
    return colleague.show("console/colleagues.html", DESK.label, rows=rows)


@_FORM
@page(*LET_IN)
def new(colleague: Colleague) -> HttpResponse:
    """A second supervisor is asked to let somebody in."""
    return deed(
        colleague,
        gettext_lazy("A new colleague"),
        about=str(DESK.label),
        back=reverse("colleagues"),
        form=NewcomerForm(colleague.given, row=None),
        preview=_before,
        run=partial(_ask, colleague),
    )


def _before() -> Words:
    two = _("Two people required: executed only after a second colleague approves.")
    name = _("Recipient: your new colleague")
    return f"{before_joining(name)} {two}"


def _ask(colleague: Colleague, wish: dict[str, Any]) -> Words:
    username, roles = wish["username"], {"roles": sorted(wish["roles"])}
    return ask_second(colleague, _NEW, username, roles, wish["note"])


def _stands(username: str) -> Plain:
    """Nobody is called so yet."""
    colleagues.judge_username(username)
    return {"roles": ""}


def _wanted(username: str, wish: Plain) -> Plain:
    del username
    return {"roles": ", ".join(wish["roles"])}


def _says(username: str, wish: Plain, at: datetime) -> Words:
    del wish, at
    colleagues.judge_username(username)
    return before_joining(username)


def _hire(username: str, wish: Plain, why: str, by: Actor, at: datetime) -> Done:
    user, code = colleagues.hire(username, wish["roles"], note=why, by=by, at=at)
    return told_once(_("%(name)s is added with these roles: %(roles)s.") % _named(user), code)


def _address(username: str) -> str:
    """Their page, once there is one."""
    user = User.objects.filter(username=username, is_staff=True).first()
    if user is None:
        raise NotFound
    return page_of(user)


def _named(user: User) -> dict[str, str]:
    return {"name": str(user), "roles": roles(colleagues.roles_of(user))}


MATTERS = [
    Matter(
        name=_NEW,
        label=gettext_lazy("A new colleague"),
        askers=LET_IN,
        deciders=LET_IN,
        stands=_stands,
        wanted=_wanted,
        says=_says,
        run=_hire,
        address=_address,
        names={},
    )
]


def _before_return(user: User, at: datetime) -> Words:
    del at
    return before_joining(str(user))


def _return(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    user, code = colleagues.let_back_in(key, wish["roles"], note=wish["note"], by=by, at=at)
    return told_once(_("%(name)s is added with these roles: %(roles)s.") % _named(user), code)


def _always(user: User, wish: Any) -> bool:
    del user, wish
    return True


def _has_left(user: User) -> bool:
    return user.is_staff and not user.is_active


VERBS = [
    Verb(
        "let_back_in",
        User,
        gettext_lazy("Restore account"),
        LET_IN,
        _before_return,
        _return,
        ReturnForm,
        fits=_has_left,
        second=_always,
        stands=colleagues.stands,
    ),
]
