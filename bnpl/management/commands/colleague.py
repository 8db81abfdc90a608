"""Lets a colleague into the console, back in, or out, by whoever runs the machine; above all the first supervisor."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse
from django.utils import translation

from accounts import colleagues
from accounts.enrolment import Code
from accounts.models import User
from accounts.services import ROLES
from kernel import audit
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import NotFound, Refusal
from office.services.seeing_off import see_off

BY = Actor.system("colleague")


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="as they sign in at /ops/")
        parser.add_argument(
            "--role", action="append", default=[], help=f"one of {', '.join(ROLES)}; several if given so"
        )
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--returns", action="store_true", help="they have left, and come back with these roles")
        way.add_argument(
            "--forgot", action="store_true", help="their password: they choose another, and all else of theirs stays"
        )
        way.add_argument("--leaves", action="store_true", help="they sign in no more")
        parser.add_argument("--note", default="", help="why, for the audit")

    def handle(self, *_args: Any, **given: Any) -> None:
        name, roles, why = given["username"], given["role"], given["note"]
        if (given["leaves"] or given["forgot"]) is bool(roles):
            raise CommandError("Say which roles they have: --role supervisor; or --leaves or --forgot, and no role.")
        try:
            with transaction.atomic(), translation.override("en"):
                if given["leaves"] or given["forgot"]:
                    said = _leaves(name, why) if given["leaves"] else _forgot(name, why)
                else:
                    said = _comes(name, roles, why, given["returns"])
                self.stdout.write(said)
        except NotFound:
            raise CommandError("There is no such colleague to do this to.") from None
        except Refusal as refusal:
            with translation.override("en"):
                raise CommandError(_said(refusal)) from None


def _comes(name: str, roles: list[str], why: str, returns: bool) -> str:  # noqa: FBT001  as it was typed
    at = live_now()
    if returns:
        user, code = colleagues.let_back_in(_named(name).pk, roles, note=why, by=BY, at=at)
    else:
        user, code = colleagues.hire(name, roles, note=why, by=BY, at=at)
    act = "let_back_in" if returns else "new_colleague"
    audit.record(act, about=user.public_id, why=why, by=BY, at=at, data={"roles": sorted(roles)})
    return handed_over(user, code)


def _forgot(name: str, why: str) -> str:
    at = live_now()
    user, code = colleagues.ask_new_password(_named(name).pk, note=why, by=BY, at=at)
    audit.record("new_password", about=user.public_id, why=why, by=BY, at=at)
    return handed_over(user, code)


def handed_over(user: User, code: Code) -> str:
    """The code, this once, and what it is for."""
    said = f"{code.text}\nGood once, until {code.ends_at:%Y-%m-%d %H:%M} UTC: say it in person."
    if user.has_usable_password():
        return said
    return f"{said} With it {user} chooses a password at {settings.BASE_URL}{reverse('console_join')}"


def _leaves(name: str, why: str) -> str:
    at = live_now()
    user = see_off(_named(name).pk, note=why, by=BY, at=at)
    audit.record("leave", about=user.public_id, why=why, by=BY, at=at)
    return f"{name} has left."


def _named(name: str) -> User:
    user = User.objects.filter(username=name, is_staff=True).first()
    if user is None:
        raise NotFound
    return user


def _said(refusal: Refusal) -> str:
    """In the language of the machine; and which one it is, where the refusal's title does not say it."""
    return str(refusal.title) if refusal.detail == refusal.title else f"{refusal.title} ({refusal.detail})"
