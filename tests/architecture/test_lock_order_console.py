"""Console actions on queues, cases and the worklist also lock higher layers first."""

from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.contacts import NewContact
from billing.channels import Succeeded, Unknown
from billing.models import Case, RefundPart
from billing.services import cases
from billing.services.deduct import deduct_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.instruments import open_wallet
from billing.services.movements import MovementReport
from billing.services.refund_outcomes import REFUND_PARTS
from kernel.actor import Actor
from office.queues import QUEUES
from office.services import assignments
from office.services.collection_contacts import log_contact
from office.services.offboarding import offboard
from tests.architecture.test_lock_order import record_locks
from tests.billing.helpers import issue_refund, latest_deduction_of, paid_order
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.office.queue_fixtures import open_case, overdue_order, problem_report, staff_user

BOTH = Actor.staff(uuid4()).approved_by(Actor.staff(uuid4()))


@pytest.mark.breaks_invariants  # the bank never said so
@pytest.mark.django_db(transaction=True)
def test_console_actions_lock_higher_layers_first(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, case, late = problem_report(power_bank), open_case(power_bank), overdue_order(power_bank)
    doubtful = make_due_order(power_bank, make_person(power_bank, "timeout_then_not_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    open_wallet(doubtful.person, at=NOON)
    settle_all(
        [DeductionReport(latest_deduction_of(doubtful).id, Succeeded("t-1", yuan("9")), "callback")], by=BY, at=NOON
    )
    wrong = Case.objects.get(kind="wrong_amount")
    issue_refund(paid_order(power_bank, behaviour="timeout_then_not_paid"), "2")
    part = RefundPart.objects.get()
    for days in (0, 4):
        report = MovementReport(part.id, Unknown("timeout"), "query")
        REFUND_PARTS.settle_all([report], by=BY, at=NOON + timedelta(days=days))
    with record_locks(monkeypatch) as watch:
        assignments.claim(QUEUES["problem"], problem.id, staff_user("support"), at=NOON)
        seen = [(problem.id, staff_user("support").pk)]
        assignments.assign_many(QUEUES["problem"], seen, staff_user("collections"), "", by=BY, at=NOON)
        log_contact(late.person_id, NewContact(way="call", outcome="reached"), by=BY, at=NOON)
        cases.close_case(case.id, "platform", "x", by=BY, at=NOON)
        cases.close_case(wrong.id, "wallet", "x", by=BY, at=NOON)
        offboard(staff_user("collections").pk, by=BY, at=NOON)
        unknown = Case.objects.get(kind="unknown_too_long")
        cases.record_movement_outcome(unknown.id, txn="", evidence="x", by=BOTH, at=NOON + timedelta(days=4))
    assert watch.violations == []
    assert watch.transactions > 6
