"""Adds a colleague to the console, reactivates or removes them, from the server; for the first supervisor."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse
from django.utils import translation

from accounts import colleagues
from accounts.enrolment import IssuedCode
from accounts.models import User
from accounts.services import ROLES
from kernel import audit
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import NotFound, Refusal
from office.services.offboarding import offboard

BY = Actor.system("colleague")


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="as they sign in at /ops/")
        parser.add_argument(
            "--role", action="append", default=[], help=f"one of {', '.join(ROLES)}; several if given so"
        )
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--returns", action="store_true", help="they have left, and come back with these roles")
        action.add_argument(
            "--forgot", action="store_true", help="their password: they choose another, and all else of theirs stays"
        )
        action.add_argument("--leaves", action="store_true", help="they sign in no more")
        parser.add_argument("--note", default="", help="why, for the audit")

    def handle(self, *_args: Any, **options: Any) -> None:
        name, roles, note = options["username"], options["role"], options["note"]
        if (options["leaves"] or options["forgot"]) is bool(roles):
            raise CommandError("Say which roles they have: --role supervisor; or --leaves or --forgot, and no role.")
        try:
            with transaction.atomic(), translation.override("en"):
                if options["leaves"] or options["forgot"]:
                    message = _offboard(name, note) if options["leaves"] else _reset_password(name, note)
                else:
                    message = _hire_or_rehire(name, roles, note, options["returns"])
                self.stdout.write(message)
        except NotFound:
            raise CommandError("There is no such colleague to do this to.") from None
        except Refusal as refusal:
            with translation.override("en"):
                raise CommandError(_format_refusal(refusal)) from None


def _hire_or_rehire(name: str, roles: list[str], note: str, returns: bool) -> str:  # noqa: FBT001  an option
    at = live_now()
    if returns:
        user, code = colleagues.reinstate(_get_colleague(name).pk, roles, note=note, by=BY, at=at)
    else:
        user, code = colleagues.add_colleague(name, roles, note=note, by=BY, at=at)
    act = "let_back_in" if returns else "new_colleague"
    audit.record(act, about=user.public_id, why=note, by=BY, at=at, data={"roles": sorted(roles)})
    return describe_code(user, code)


def _reset_password(name: str, note: str) -> str:
    at = live_now()
    user, code = colleagues.reset_password(_get_colleague(name).pk, note=note, by=BY, at=at)
    audit.record("new_password", about=user.public_id, why=note, by=BY, at=at)
    return describe_code(user, code)


def describe_code(user: User, code: IssuedCode) -> str:
    """The enrolment code, which is shown only here, and how to use it."""
    text = f"{code.text}\nGood once, until {code.ends_at:%Y-%m-%d %H:%M} UTC: say it in person."
    if user.has_usable_password():
        return text
    return f"{text} With it {user} chooses a password at {settings.BASE_URL}{reverse('console_join')}"


def _offboard(name: str, note: str) -> str:
    at = live_now()
    user = offboard(_get_colleague(name).pk, note=note, by=BY, at=at)
    audit.record("leave", about=user.public_id, why=note, by=BY, at=at)
    return f"{name} has left."


def _get_colleague(name: str) -> User:
    user = User.objects.filter(username=name, is_staff=True).first()
    if user is None:
        raise NotFound
    return user


def _format_refusal(refusal: Refusal) -> str:
    """The refusal's title, with its detail where that says more."""
    return str(refusal.title) if refusal.detail == refusal.title else f"{refusal.title} ({refusal.detail})"
