"""Scripted people of a sandbox: how each one's bank account behaves, and changing that."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Person
from billing.channels import bank
from billing.labels import SANDBOX_CARD
from billing.models import Instrument
from billing.models.instruments import ERASED_PREFIX
from billing.services.instruments import SANDBOX, Script, add_instrument
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.models import LIVE
from kernel.refusal import NotFound
from merchants.models import Change, Merchant


@dataclass(frozen=True, slots=True)
class ScriptedPerson:
    """A person with the script of their latest account at the sandbox bank, and whether it can still be charged."""

    person: Person
    script: Script
    is_usable: bool


def scripted_people(realm_id: int) -> QuerySet[Person]:
    """Everybody in a sandbox who has an account at the sandbox bank, without erased people."""
    account = Instrument.objects.filter(person=OuterRef("pk"), channel=SANDBOX).exclude(token__startswith=ERASED_PREFIX)
    return Person.objects.select_related("user").filter(Exists(account), realm_id=realm_id).exclude(realm_id=LIVE)


def scripts_of(people: Iterable[Person]) -> list[ScriptedPerson]:
    """How the latest account of each of these people behaves now, in the given order."""
    people_list = list(people)
    latest = _latest_accounts(people_list)
    accounts = bank.accounts_of(row.token for row in latest.values())
    scripted = []
    for person in people_list:
        account = accounts[latest[person.id].token]
        script = Script(account.behaviour, until=account.until, balance_minor=account.balance_minor)
        scripted.append(ScriptedPerson(person, script, latest[person.id].state == Instrument.State.ACTIVE))
    return scripted


def change_script(realm_id: int, person_id: UUID, script: Script, *, by: Actor, at: datetime) -> ScriptedPerson:
    """Change how the person's account behaves from now on, for example its balance.

    If the bank has closed it already, another account is opened and added as an instrument, and unplanned debts are
    planned from it.

    Raises:
        NotFound: there is no such scripted person in this sandbox.
    """
    account = _account_to_script(realm_id, person_id, script, by=by, at=at)
    # The bank commits on its own: it is changed once our transaction is committed.
    bank.change_account(account.token, script.behaviour, until=script.until, balance_minor=script.balance_minor)
    return scripts_of([account.person])[0]


@transaction.atomic
def _account_to_script(realm_id: int, person_id: UUID, script: Script, *, by: Actor, at: datetime) -> Instrument:
    """The account to change: the latest one, or a new one if that is closed."""
    person = scripted_people(realm_id).select_for_update(of=("self",), no_key=True).filter(pk=person_id).first()
    if person is None:
        raise NotFound
    account = _latest_accounts([person])[person.id]
    if account.state != Instrument.State.ACTIVE:
        token = f"{realm_id}:{person.id.hex}:{uuid7().hex[-20:]}"
        bank.open_account(token, script.behaviour, until=script.until, balance_minor=script.balance_minor)
        account = add_instrument(person, SANDBOX, token, SANDBOX_CARD, at=at)
    for merchant_id in Merchant.objects.filter(realm_id=realm_id).values_list("id", flat=True):
        data = {"behaviour": str(script.behaviour)}
        Change.objects.create(
            merchant_id=merchant_id, verb="person_scripted", subject_id=person.id, by=str(by), at=at, data=data
        )
    account.person = person
    return account


def _latest_accounts(people: Iterable[Person]) -> dict[UUID, Instrument]:
    """Each person's newest account that is not removed, or the newest of all if every one is removed."""
    rows = Instrument.objects.filter(person__in=people, channel=SANDBOX).order_by("id")
    return {row.person_id: row for row in sorted(rows, key=lambda row: (row.state != Instrument.State.REMOVED, row.id))}
