"""A sandbox's scripted people: how each one's bank account behaves, and that it behaves otherwise from now on."""

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
from billing.models.instruments import GONE
from billing.services.instruments import SANDBOX, Script, add_instrument
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.models import LIVE
from kernel.refusal import NotFound
from merchants.models import Change, Merchant


@dataclass(frozen=True, slots=True)
class Scripted:
    """A person with their latest account at the sandbox bank, and whether it may still be charged."""

    person: Person
    script: Script
    usable: bool


def people_of(realm_id: int) -> QuerySet[Person]:
    """Everybody in a sandbox who has an account at the sandbox bank; not who has left."""
    account = Instrument.objects.filter(person=OuterRef("pk"), channel=SANDBOX).exclude(token__startswith=GONE)
    return Person.objects.select_related("user").filter(Exists(account), realm_id=realm_id).exclude(realm_id=LIVE)


def scripts_of(people: Iterable[Person]) -> list[Scripted]:
    """How each of these people's latest account behaves now, in their order."""
    found = list(people)
    latest = _latest(found)
    accounts = bank.accounts_of(row.token for row in latest.values())
    scripted = []
    for person in found:
        account = accounts[latest[person.id].token]
        script = Script(account.behaviour, until=account.until, balance_minor=account.balance_minor)
        scripted.append(Scripted(person, script, latest[person.id].state == Instrument.State.ACTIVE))
    return scripted


def change_script(realm_id: int, person_id: UUID, script: Script, *, by: Actor, at: datetime) -> Scripted:
    """The person's account behaves otherwise from now on: they top it up, empty it, or close it.

    Where the bank has closed it already, they open another one instead, and name it as one to pay from: what nothing
    was planned for is taken from there.

    Raises:
        NotFound: there is no such scripted person in this sandbox.
    """
    account = _script_anew(realm_id, person_id, script, by=by, at=at)
    # The bank commits on its own: it is told when nothing of ours can be undone any more.
    bank.change_account(account.token, script.behaviour, until=script.until, balance_minor=script.balance_minor)
    return scripts_of([account.person])[0]


@transaction.atomic
def _script_anew(realm_id: int, person_id: UUID, script: Script, *, by: Actor, at: datetime) -> Instrument:
    """The account that is to behave so: the latest, or a new one where that is closed."""
    person = people_of(realm_id).select_for_update(of=("self",), no_key=True).filter(pk=person_id).first()
    if person is None:
        raise NotFound
    account = _latest([person])[person.id]
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


def _latest(people: Iterable[Person]) -> dict[UUID, Instrument]:
    """Each one's newest account that they have not removed; the newest of all where they removed every one."""
    rows = Instrument.objects.filter(person__in=people, channel=SANDBOX).order_by("id")
    return {row.person_id: row for row in sorted(rows, key=lambda row: (row.state != Instrument.State.REMOVED, row.id))}
