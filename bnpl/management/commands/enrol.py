"""Issues an enrolment code to a colleague, for a first password or a first second factor; for the first superuser."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import enrolment
from accounts.models import User
from bnpl.management.commands.colleague import describe_code
from kernel import audit
from kernel.actor import Actor
from kernel.clock import live_now


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="as they sign in at /ops/")
        parser.add_argument("--note", default="", help="why, for the audit")

    def handle(self, *_args: Any, **options: Any) -> None:
        by, at, note = Actor.system("enrol"), live_now(), options["note"]
        user = User.objects.filter(username=options["username"], is_staff=True, is_active=True).first()
        if user is None:
            raise CommandError("There is no such colleague.")
        with transaction.atomic():
            code = enrolment.issue_code(user.pk, note=note, by=by, at=at)
            audit.record("enrolment_code", about=user.public_id, why=note, by=by, at=at)
        self.stdout.write(describe_code(user, code))
