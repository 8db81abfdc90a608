"""Somebody leaves for good at the moment at which their bank takes a debit back: nobody who is gone owes anything."""

from functools import partial

import pytest

from accounts import leaving as accounts_leaving
from accounts import reach
from accounts.models import Person
from billing.channels import bank, bank_returns
from billing.models import Dispute, Return
from billing.services import disputes, returns
from billing.services.callbacks import deliver_callbacks
from billing.services.instruments import Script, add_bank_account
from billing.services.returns import Parcel, open_return
from bnpl.invariants import violations
from credit.models import Decision, Profile
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.refusal import NotFound
from office.models import HandlingNote
from office.queues import QUEUES
from office.refusals import NothingWaits
from office.services import handling
from orders import services as orders
from orders.models import Concern, Obligation
from orders.rules import Offer
from orders.services import concerns
from personal.models import Erasure, Export, Proof
from personal.services import erase, export, proof
from tests.billing.bench import deduction_of, paid
from tests.conftest import BY, NOON, Shop, someone
from tests.personal.test_erasure import NOW, THEN
from tests.threads import at_once, halted

pytestmark = pytest.mark.django_db(transaction=True)


def leaving(shop: Shop) -> Person:
    """Somebody whose time to take it back is over."""
    person = someone(shop)
    erase.ask_erasure(person.id, by=BY, at=NOW)
    return person


def test_what_somebody_signs_at_the_last_moment_goes_with_them(power_bank: Shop) -> None:
    person = leaving(power_bank)
    sign = partial(proof.issue_proof, person.id, ["name"], 90, by=BY, at=THEN)
    with halted(proof.signing, "sign") as halt:
        at_once(sign, partial(halt.then, partial(erase.erase_due, at=THEN)))
    assert Erasure.objects.get().erased_at is not None
    row = Proof.objects.get()
    assert (row.revoked_at, row.reveal_statement()) == (THEN, "")


def test_a_copy_that_is_asked_for_at_the_last_moment_is_not_made(power_bank: Shop) -> None:
    person = leaving(power_bank)
    with halted(export.reach, "tell") as halt:
        asked = partial(export.ask_export, person.id, by=BY, at=THEN)
        at_once(asked, partial(halt.then, partial(erase.erase_due, at=THEN)))
    copy = Export.objects.get()
    assert (copy.next_at, copy.failed_at, copy.emptied_at) == (None, THEN, THEN)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["report", "objection", "help", "parcel"])
def test_who_says_something_at_the_last_moment_stays_until_it_is_over_or_is_gone(
    power_bank: Shop, what: str, when: str
) -> None:
    order = paid(power_bank)
    erase.ask_erasure(order.person_id, by=BY, at=NOW)
    who, text = Actor.person(order.person_id), "电话 13812341234"
    refused = Decision.objects.create(
        **{f.attname: getattr(Decision.objects.latest("id"), f.attname) for f in Decision._meta.concrete_fields}
        | {"id": uuid7(), "approved": False, "reasons": ["over_limit"]}
    )
    acts = {
        "report": partial(orders.report_problem, order.id, "other", text, by=who, at=NOON),
        "objection": partial(orders.object_to, refused.id, order.person_id, text, by=who, at=NOON),
        "help": partial(orders.ask_for_help, order.person_id, None, Offer(2, 30), text, by=who, at=NOON),
        "parcel": partial(
            open_return, order.id, Parcel(carrier="a", tracking_number="1", reason=text), by=who, at=NOON
        ),
    }
    leave = partial(erase.erase_due, at=THEN)
    if when == "before":
        place = (returns, "publish_return") if what == "parcel" else (concerns, "open_concern")
        with halted(*place) as halt:
            at_once(acts[what], partial(halt.then, leave))
        assert Erasure.objects.get().hindered_by[-1] == ("returns" if what == "parcel" else "concerns")
        return
    with halted(accounts_leaving, "_close") as halt:
        _erased, said = at_once(leave, partial(halt.then, acts[what]))
    assert isinstance(said, NotFound)
    assert not Concern.objects.exists()
    assert not Return.objects.exists()


@pytest.mark.parametrize("what", ["proof", "copy", "mail", "account"])
def test_who_is_gone_leaves_nothing_behind_afterwards(power_bank: Shop, what: str) -> None:
    """They were still signed in when they asked for it, and gone when it was their turn."""
    person = leaving(power_bank)
    acts = {
        "proof": partial(proof.issue_proof, person.id, ["band"], 90, by=BY, at=THEN),
        "copy": partial(export.ask_export, person.id, by=BY, at=THEN),
        "mail": partial(reach.take_mail, person.id, "ada@example.com", by=BY, at=THEN),
        "account": partial(add_bank_account, person, Script(bank.Behaviour.PAYS), by=BY, at=NOON),
    }
    with halted(accounts_leaving, "_close") as halt:
        _erased, said = at_once(partial(erase.erase_due, at=THEN), partial(halt.then, acts[what]))
    assert isinstance(said, NotFound)
    assert not Proof.objects.exists()
    assert not Export.objects.exists()
    assert Person.objects.get(pk=person.pk).mail_sealed is None
    assert not person.instruments.exclude(state="removed").exists()


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_first_note_about_somebody_at_the_last_moment_goes_with_them_or_is_not_made(
    power_bank: Shop, when: str
) -> None:
    about = deduction_of(paid(power_bank))
    erase.ask_erasure(about.person_id, by=BY, at=NOW)
    note = partial(handling.note, QUEUES["unknown"], about.id, "电话 13812341234", by=BY, at=NOON)
    leave = partial(erase.erase_due, at=THEN)
    if when == "before":
        with halted(handling, "_noted") as halt:
            at_once(note, partial(halt.then, leave))
        assert HandlingNote.objects.get().text == ""
    else:
        with halted(accounts_leaving, "_close") as halt:
            _erased, said = at_once(leave, partial(halt.then, note))
        assert isinstance(said, NothingWaits)
        assert not HandlingNote.objects.exists()
    assert Erasure.objects.get().erased_at is not None
    assert list(violations()) == []


def test_who_leaves_while_a_debit_of_theirs_is_taken_back_owes_nothing(power_bank: Shop) -> None:
    order = paid(power_bank)
    bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    erase.ask_erasure(order.person_id, by=BY, at=NOW)
    taken_back = partial(deliver_callbacks, power_bank.realm_id, at=NOON)
    with halted(disputes.orders, "owe_again") as halt:  # they were still there when it was looked
        at_once(taken_back, partial(halt.then, partial(erase.erase_due, at=THEN)))
    taken_back()
    assert Erasure.objects.get().erased_at is not None
    assert Profile.objects.get(pk=order.person_id).frozen_at is not None
    assert (Dispute.objects.get().state, Dispute.objects.get().bearer) == ("lost", "platform")
    assert not Obligation.objects.filter(person_id=order.person_id, state__in=Obligation.OWED).exists()
    assert list(violations()) == []
