"""Gives a colleague an enrolment code, for a first password or a first second step; above all the first superuser."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import enrolment
from accounts.models import User
from bnpl.management.commands.colleague import handed_over
from kernel import audit
from kernel.actor import Actor
from kernel.clock import live_now


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="as they sign in at /ops/")
        parser.add_argument("--note", default="", help="why, for the audit")

    def handle(self, *_args: Any, **given: Any) -> None:
        by, at, why = Actor.system("enrol"), live_now(), given["note"]
        user = User.objects.filter(username=given["username"], is_staff=True, is_active=True).first()
        if user is None:
            raise CommandError("There is no such colleague.")
        with transaction.atomic():
            code = enrolment.give_code(user.pk, note=why, by=by, at=at)
            audit.record("enrolment_code", about=user.public_id, why=why, by=by, at=at)
        self.stdout.write(handed_over(user, code))
