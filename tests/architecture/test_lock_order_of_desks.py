"""What colleagues do at the queues, at a case and at the worklist locks from the top floor down, too."""

from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.contacts import Made
from billing.channels import Lost, Taken
from billing.models import Case, RefundPart
from billing.services import cases
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.movements import MovementReport
from billing.services.settle import Report, settle_all
from billing.services.settle_parts import PARTS
from kernel.actor import Actor
from office.queues import QUEUES
from office.services import handling
from office.services.contacting import log_contact
from office.services.seeing_off import see_off
from tests.architecture.test_lock_order import watched
from tests.billing.bench import deduction_of, give_back, paid
from tests.conftest import BY, NOON, Shop, completed, someone, yuan
from tests.office.waiting import case_at, colleague, late_order, problem_with

BOTH = Actor.staff(uuid4()).agreed(Actor.staff(uuid4()))


@pytest.mark.breaks_the_house  # the bank never said so
@pytest.mark.django_db(transaction=True)
def test_desks_lock_from_the_top_floor_down(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, case, late = problem_with(power_bank), case_at(power_bank), late_order(power_bank)
    doubtful = completed(power_bank, someone(power_bank, "timeout_then_not_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    open_wallet(doubtful.person, at=NOON)
    settle_all([Report(deduction_of(doubtful).id, Taken("t-1", yuan("9")), "callback")], by=BY, at=NOON)
    wrong = Case.objects.get(kind="wrong_amount")
    give_back(paid(power_bank, behaviour="timeout_then_not_paid"), "2")
    part = RefundPart.objects.get()
    for days in (0, 4):
        report = MovementReport(part.id, Lost("timeout"), "query")
        PARTS.settle_all([report], by=BY, at=NOON + timedelta(days=days))
    with watched(monkeypatch) as watch:
        handling.take(QUEUES["problem"], problem.id, colleague("support"), at=NOON)
        seen = [(problem.id, colleague("support").pk)]
        handling.hand_all(QUEUES["problem"], seen, colleague("collections"), "", by=BY, at=NOON)
        log_contact(late.person_id, Made(way="call", outcome="reached"), by=BY, at=NOON)
        cases.close_case(case.id, "platform", "x", by=BY, at=NOON)
        cases.close_case(wrong.id, "wallet", "x", by=BY, at=NOON)
        see_off(colleague("collections").pk, by=BY, at=NOON)
        unknown = Case.objects.get(kind="unknown_too_long")
        cases.say_movement(unknown.id, txn="", evidence="x", by=BOTH, at=NOON + timedelta(days=4))
    assert watch.violations == []
    assert watch.transactions > 6
