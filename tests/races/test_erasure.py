"""A person is erased at the moment their bank returns a deduction: nobody who is erased owes anything."""

from functools import partial

import pytest

from accounts import erasure as accounts_erasure
from accounts import notification_settings
from accounts.models import Person
from billing.channels import bank, bank_disputes
from billing.models import Dispute, Return
from billing.return_refusals import NotReturnable
from billing.services import disputes, returns
from billing.services.callbacks import deliver_callbacks
from billing.services.instruments import Script, add_bank_account
from billing.services.returns import Parcel, open_return
from bnpl.invariants import find_violations
from credit.models import Decision, Profile
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.refusal import NotFound
from office.models import HandlingNote
from office.queues import QUEUES
from office.refusals import NothingToHandle
from office.services import assignments
from orders import services as orders
from orders.models import Concern, Obligation
from orders.rules import PlanOffer
from orders.services import concerns
from personal.models import Erasure, Export, Proof
from personal.services import erasures, exports, proofs
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.conftest import BY, NOON, Shop, make_person
from tests.personal.test_erasure import NOW, THEN
from tests.threads import pause_before, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def leaving(shop: Shop) -> Person:
    """A person whose erasure is due."""
    person = make_person(shop)
    erasures.request_erasure(person.id, by=BY, at=NOW)
    return person


def test_what_somebody_signs_at_the_last_moment_goes_with_them(power_bank: Shop) -> None:
    person = leaving(power_bank)
    sign = partial(proofs.issue_proof, person.id, ["name"], 90, by=BY, at=THEN)
    with pause_before(proofs.signing, "sign") as halt:
        run_concurrently(sign, partial(halt.run_while_paused, partial(erasures.erase_due, at=THEN)))
    assert Erasure.objects.get().erased_at is not None
    row = Proof.objects.get()
    assert (row.revoked_at, row.reveal_statement()) == (THEN, "")


def test_a_copy_that_is_asked_for_at_the_last_moment_is_not_made(power_bank: Shop) -> None:
    person = leaving(power_bank)
    with pause_before(exports.account_notices, "notify_account_change") as halt:
        asked = partial(exports.request_export, person.id, by=BY, at=THEN)
        run_concurrently(asked, partial(halt.run_while_paused, partial(erasures.erase_due, at=THEN)))
    copy = Export.objects.get()
    assert (copy.next_at, copy.failed_at, copy.emptied_at) == (None, THEN, THEN)


# A plan is requested "before" by nobody: it takes a debt, and with one an erasure is refused anyway.
@pytest.mark.parametrize(
    ("what", "when"),
    [(what, "before") for what in ("report", "objection", "parcel")]
    + [(what, "after") for what in ("report", "objection", "help", "parcel")],
)
def test_who_says_something_at_the_last_moment_stays_until_it_is_over_or_is_gone(
    power_bank: Shop, what: str, when: str
) -> None:
    order = paid_order(power_bank)
    erasures.request_erasure(order.person_id, by=BY, at=NOW)
    who, text = Actor.person(order.person_id), "电话 13812341234"
    refused = Decision.objects.create(
        **{f.attname: getattr(Decision.objects.latest("id"), f.attname) for f in Decision._meta.concrete_fields}
        | {"id": uuid7(), "approved": False, "reasons": ["over_limit"]}
    )
    acts = {
        "report": partial(orders.report_problem, order.id, "other", text, by=who, at=NOON),
        "objection": partial(orders.object_to_decision, refused.id, order.person_id, text, by=who, at=NOON),
        "help": partial(orders.request_plan, order.person_id, None, PlanOffer(2, 30), text, by=who, at=NOON),
        "parcel": partial(
            open_return, order.id, Parcel(carrier="a", tracking_number="1", reason=text), by=who, at=NOON
        ),
    }
    leave = partial(erasures.erase_due, at=THEN)
    if when == "before":
        place = (returns, "publish_return") if what == "parcel" else (concerns, "open_concern")
        with pause_before(*place) as halt:
            run_concurrently(acts[what], partial(halt.run_while_paused, leave))
        assert Erasure.objects.get().hindered_by[-1] == ("returns" if what == "parcel" else "concerns")
        return
    with pause_before(accounts_erasure, "_close_account") as halt:
        _erased, said = run_concurrently(leave, partial(halt.run_while_paused, acts[what]))
    assert isinstance(said, NotFound)
    assert not Concern.objects.exists()
    assert not Return.objects.exists()


@pytest.mark.parametrize("what", ["proof", "copy", "mail", "account"])
def test_who_is_gone_leaves_nothing_behind_afterwards(power_bank: Shop, what: str) -> None:
    """The request began while they were signed in, and ran after the erasure."""
    person = leaving(power_bank)
    acts = {
        "proof": partial(proofs.issue_proof, person.id, ["band"], 90, by=BY, at=THEN),
        "copy": partial(exports.request_export, person.id, by=BY, at=THEN),
        "mail": partial(notification_settings.set_mail_address, person.id, "ada@example.com", by=BY, at=THEN),
        "account": partial(add_bank_account, person, Script(bank.Behaviour.PAYS), by=BY, at=NOON),
    }
    with pause_before(accounts_erasure, "_close_account") as halt:
        _erased, said = run_concurrently(
            partial(erasures.erase_due, at=THEN), partial(halt.run_while_paused, acts[what])
        )
    assert isinstance(said, NotFound)
    assert not Proof.objects.exists()
    assert not Export.objects.exists()
    assert Person.objects.get(pk=person.pk).mail_sealed is None
    assert not person.instruments.exclude(state="removed").exists()


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_first_note_about_somebody_at_the_last_moment_goes_with_them_or_is_not_made(
    power_bank: Shop, when: str
) -> None:
    about = latest_deduction_of(paid_order(power_bank))
    erasures.request_erasure(about.person_id, by=BY, at=NOW)
    note = partial(assignments.add_note, QUEUES["unknown"], about.id, "电话 13812341234", by=BY, at=NOON)
    leave = partial(erasures.erase_due, at=THEN)
    if when == "before":
        with pause_before(assignments, "_save_with_note") as halt:
            run_concurrently(note, partial(halt.run_while_paused, leave))
        assert HandlingNote.objects.get().text == ""
    else:
        with pause_before(accounts_erasure, "_close_account") as halt:
            _erased, said = run_concurrently(leave, partial(halt.run_while_paused, note))
        assert isinstance(said, NothingToHandle)
        assert not HandlingNote.objects.exists()
    assert Erasure.objects.get().erased_at is not None
    assert list(find_violations()) == []


def test_who_leaves_while_a_debit_of_theirs_is_taken_back_owes_nothing(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    erasures.request_erasure(order.person_id, by=BY, at=NOW)
    taken_back = partial(deliver_callbacks, power_bank.realm_id, at=NOON)
    with pause_before(disputes.orders, "reopen_debts") as halt:  # they were still there when it was looked
        run_concurrently(taken_back, partial(halt.run_while_paused, partial(erasures.erase_due, at=THEN)))
    taken_back()
    assert Erasure.objects.get().erased_at is not None
    assert Profile.objects.get(pk=order.person_id).frozen_at is not None
    assert (Dispute.objects.get().state, Dispute.objects.get().bearer) == ("lost", "platform")
    assert not Obligation.objects.filter(person_id=order.person_id, state__in=Obligation.OWED).exists()
    assert list(find_violations()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_merchant_gets_back_at_the_last_moment_keeps_its_customer_or_is_refused(
    power_bank: Shop, when: str
) -> None:
    order = paid_order(power_bank)
    erasures.request_erasure(order.person_id, by=BY, at=NOW)
    parcel = Parcel(carrier="a", tracking_number="1", reason="电话 13812341234")
    back = partial(open_return, order.id, parcel, by=Actor("key", "k-1"), at=NOON)
    leave = partial(erasures.erase_due, at=THEN)
    if when == "before":
        with pause_before(returns, "publish_return") as halt:
            run_concurrently(back, partial(halt.run_while_paused, leave))
        assert Erasure.objects.get().hindered_by[-1] == "returns"
    else:
        with pause_before(accounts_erasure, "_close_account") as halt:
            _erased, said = run_concurrently(leave, partial(halt.run_while_paused, back))
        assert isinstance(said, NotReturnable)
        assert not Return.objects.exists()
    assert list(find_violations()) == []
