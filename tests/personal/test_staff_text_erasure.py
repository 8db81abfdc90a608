"""What staff and merchants wrote about a person is erased with them: evidence in disputes, notes, and reasons."""

from datetime import timedelta

import pytest

from accounts.account_notices import record_person_event
from accounts.models import AccountEvent, Person
from billing.models import Dispute, DisputeAnswer
from billing.services.deduct import deduct_due
from billing.services.dispute_deadlines import process_due_disputes
from billing.services.dispute_evidence import Evidence, submit_evidence
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.wallets import top_up
from bnpl.invariants import find_violations
from credit.limits import change_limit
from credit.models import LimitChange
from orders import services as orders
from orders.models import ObligationEvent, OrderEvent
from personal.services import erasures
from tests.billing.test_dispute_evidence import make_dispute
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.db_errors import NO_RIGHT, RESTRICT, execute_sql, raises_db_error
from tests.personal.test_erasure import gone
from tests.unchanged import assert_unchanged

DAY = timedelta(days=1)
SAID = "周艾达，电话 13812341234"


@pytest.fixture
def described(shop: Shop) -> Person:
    """A person about whom a merchant and staff wrote something, wherever they can."""
    order, dispute = make_dispute(shop)
    evidence = Evidence(statement=f"{SAID} winning_evidence", communication=SAID, carrier=SAID, tracking_number="SF1")
    submit_evidence(dispute.id, shop.merchant.id, evidence, by=BY, at=NOON)
    for days in (0, 1):
        process_due_disputes(shop.realm_id, at=NOON + days * DAY)
    person = order.person
    change_limit(person.id, 12_300, SAID, by=BY, at=NOON)
    record_person_event(person, "second_factor", by=BY, at=NOON, done="all_removed", note=SAID)
    return person


@pytest.fixture
def recovered(power_bank: Shop) -> Person:
    """A person whose debt was paused and written off, each with a note, and was paid at last."""
    order = make_due_order(power_bank, make_person(power_bank, "hard_decline"), yuan("6"))
    orders.pause_order(order.id, "hardship", note=SAID, by=BY, at=NOON)
    orders.resume_order(order.id, "hardship", note=SAID, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON + 4 * DAY, limit=9)
    orders.write_off(order.id, SAID, by=BY, at=NOON + 4 * DAY)
    open_wallet(order.person, at=NOON)
    top_up(order.person_id, yuan("6"), "bank 1", at=NOON)
    wallet = order.person.instruments.get(channel="wallet")
    pay_now(order.id, instrument_id=wallet.id, by=BY, at=NOON + 5 * DAY)
    return order.person


def test_what_was_written_about_a_person_goes_with_them(described: Person) -> None:
    gone(described)
    answer, dispute = DisputeAnswer.objects.get(), Dispute.objects.get()
    assert [getattr(answer, name) for name in DisputeAnswer.erasable] == ["***"] * 4
    assert (dispute.evidence, dispute.state, dispute.amount_minor) == ("***", "won", 4990)
    assert [(row.reason, row.limit_minor) for row in LimitChange.objects.all()] == [("", 12_300)]
    noted = AccountEvent.objects.get(kind="second_factor")
    assert noted.data == {"done": "all_removed", "note": "***"}
    assert list(find_violations()) == []


def test_notes_in_the_history_of_orders_are_redacted(recovered: Person) -> None:
    before = list(OrderEvent.objects.order_by("id").values_list("kind", "data"))
    assert sum(data.get("note") == SAID for _kind, data in before) == 3
    gone(recovered)
    after = list(OrderEvent.objects.order_by("id").values_list("kind", "data"))
    assert after == [(kind, data | {"note": "***"} if "note" in data else data) for kind, data in before]
    assert {row.data["reason"] for row in ObligationEvent.objects.filter(kind="written_off")} == {"***"}
    assert {row.data["reason"] for row in ObligationEvent.objects.filter(kind="paused")} == {"hardship"}
    assert list(find_violations()) == []


def test_nothing_else_of_these_rows_can_be_changed(described: Person, recovered: Person) -> None:
    changes = (
        ("orders_orderevent", 'data = data || \'{"note": "x"}\''),
        ("orders_orderevent", 'data = data || \'{"note": "***", "reason": "***"}\''),
        ("orders_obligationevent", 'data = data || \'{"reason": "***"}\''),
        ("accounts_accountevent", "data = '{}'"),
        ("credit_limitchange", "reason = 'x'"),
        ("billing_disputeanswer", "statement = '***'"),
    )
    with assert_unchanged():
        for table, change in changes:
            with raises_db_error(RESTRICT, "append_only"):
                execute_sql(f"UPDATE {table} SET {change}")  # noqa: S608
        for table in ("orders_orderevent", "orders_obligationevent"):
            with raises_db_error(NO_RIGHT):
                execute_sql(f"UPDATE {table} SET kind = 'x'")  # noqa: S608


@pytest.mark.breaks_invariants
@pytest.mark.parametrize("forgotten", ["erase_evidence", "redact_order_notes", "close_credit_texts"])
def test_the_invariant_notices_what_was_left(
    forgotten: str, described: Person, recovered: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    if forgotten == "close_credit_texts":
        monkeypatch.setattr("credit.erasure.REVIEW_ACTOR", str(BY))
    else:
        monkeypatch.setattr(erasures, forgotten, lambda _person_id: 0)
    gone(recovered if forgotten == "redact_order_notes" else described)
    assert "erased_people_have_no_data" in {violation.name for violation in find_violations()}
