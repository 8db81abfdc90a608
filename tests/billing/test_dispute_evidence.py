"""Merchants submit evidence against a dispute by API, once, until the deadline."""

from datetime import timedelta

import pytest

from billing.channels import bank_disputes
from billing.models import Dispute, DisputeLine
from billing.refusals import DisputeClosed
from billing.services.callbacks import deliver_callbacks
from billing.services.dispute_deadlines import process_due_disputes
from billing.services.dispute_evidence import Evidence, contest_dispute, submit_evidence
from kernel.models import Realm
from merchants.models import Event
from orders.models import Order
from tests.api import Api, assert_problem, idempotency_header
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.conftest import BY, NOON, Shop
from tests.unchanged import assert_unchanged

ONE_DAY = timedelta(days=1)
SAID = {"statement": "本人签收", "carrier": "顺丰速运", "tracking_number": "SF1020304050607"}


def make_dispute(shop: Shop, amount: str = "49.90") -> tuple[Order, Dispute]:
    """An order whose debit the bank returns at noon of a frozen clock."""
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    order = paid_order(shop, amount)
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_received", at=NOON)
    assert deliver_callbacks(shop.realm_id, at=NOON) == 1
    return order, Dispute.objects.get(deduction=latest_deduction_of(order))


def test_evidence_is_submitted_by_api_and_sent_to_the_channel_verbatim(shop: Shop) -> None:
    order, row = make_dispute(shop)
    api = Api(shop)
    shown = api.get(f"disputes/{row.public_id}").json()
    assert api.get("disputes").json()["data"] == [shown]
    assert api.get(f"disputes?state=open&order={order.public_id}").json()["data"] == [shown]
    assert api.get("disputes?state=won").json()["data"] == []
    assert shown["orders"] == [{"order": order.public_id, "amount": 4990}]
    assert (shown["state"], shown["bearer"], shown["amount"], shown["evidence"]) == ("open", "merchant", 4990, None)
    assert shown["answer_until"] == "2026-11-27T04:00:00Z"

    answer = api.post(f"disputes/{row.public_id}/evidence", SAID | {"statement": "本人签收 winning_evidence"})
    assert (answer.status_code, answer.json()["state"]) == (200, "contested"), answer.content
    assert answer.json()["evidence"]["tracking_number"] == "SF1020304050607"
    row = Dispute.objects.get()
    assert row.evidence.splitlines() == [
        shop.merchant.public_id,
        "statement: 本人签收 winning_evidence",
        "carrier: 顺丰速运",
        "tracking_number: SF1020304050607",
    ]
    assert row.answers.get().by.startswith("merchant:key_")
    for days in (0, 1):
        process_due_disputes(shop.realm_id, at=NOON + days * ONE_DAY)
    assert api.get(f"disputes/{row.public_id}").json()["state"] == "won"
    told = Event.objects.filter(subject_id=order.id, type__startswith="dispute.").order_by("sequence")
    assert [one.type for one in told] == ["dispute.opened", "dispute.contested", "dispute.won"]


def test_repeated_evidence_is_idempotent_and_other_evidence_is_refused(shop: Shop) -> None:
    _order, row = make_dispute(shop)
    api, path = Api(shop), f"disputes/{row.public_id}/evidence"
    first = api.post(path, SAID, **idempotency_header("e-1"))
    with assert_unchanged():
        again = api.post(path, SAID, **idempotency_header("e-1"))
        assert again.content == first.content
        assert again["Idempotent-Replayed"] == "true"
        assert api.post(path, SAID).json()["evidence"]["statement"] == "本人签收"
        assert_problem(api.post(path, SAID | {"statement": "另一种说法"}), 409, "dispute_closed")
        assert_problem(api.post(path, SAID | {"statement": "x"}, **idempotency_header("e-1")), 422)


def test_empty_evidence_and_invalid_tracking_numbers_are_refused(shop: Shop) -> None:
    _order, row = make_dispute(shop)
    api, path = Api(shop), f"disputes/{row.public_id}/evidence"
    wrong: list[dict[str, object]] = [
        {},
        {"statement": ""},
        {"statement": "证" * 1001},
        SAID | {"tracking_number": "一二三"},
        SAID | {"tracking_number": "x\n"},
        SAID | {"carrier": "x" * 41},
        SAID | {"statement": 7},
        SAID | {"verdict": "won"},
    ]
    with assert_unchanged():
        for body in wrong:
            assert_problem(api.post(path, body), 422)
        assert assert_problem(api.post(path, {"statement": " \n"}), 422)["code"] == "evidence_invalid"
        assert_problem(api.get("disputes?order=x"), 404)


def test_evidence_after_the_deadline_is_refused_even_before_the_job_ran(shop: Shop) -> None:
    _order, row = make_dispute(shop)
    late = NOON + 7 * ONE_DAY
    with assert_unchanged(), pytest.raises(DisputeClosed):
        submit_evidence(row.id, shop.merchant.id, Evidence(statement="x"), by=BY, at=late)
    process_due_disputes(shop.realm_id, at=late)
    assert Dispute.objects.get().state == "lost"
    with assert_unchanged():
        assert_problem(Api(shop).post(f"disputes/{row.public_id}/evidence", SAID), 409, "dispute_closed")


def test_once_staff_contested_a_merchant_is_too_late(shop: Shop) -> None:
    _order, row = make_dispute(shop)
    contest_dispute(row.id, "平台的说明", by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(DisputeClosed):
        submit_evidence(row.id, shop.merchant.id, Evidence(statement="x"), by=BY, at=NOON)
    assert Dispute.objects.get().evidence == "平台的说明"


@pytest.fixture
def dispute_of_two_merchants(shop: Shop, power_bank: Shop) -> Dispute:
    """One debit for orders of two merchants, as in the live world: made here of two, for a sandbox has one merchant."""
    _order, row = make_dispute(shop)
    other = paid_order(power_bank, "6")
    DisputeLine.objects.create(
        dispute=row,
        taken=other.deduction_lines.get(),
        order=other,
        merchant=power_bank.merchant,
        amount_minor=600,
    )
    return row


@pytest.mark.breaks_invariants
def test_with_several_merchants_each_sees_its_part_and_all_are_awaited(
    dispute_of_two_merchants: Dispute, shop: Shop, power_bank: Shop
) -> None:
    for one, amount in ((shop, 4990), (power_bank, 600)):
        shown = Api(one).get(f"disputes/{dispute_of_two_merchants.public_id}").json()
        assert (shown["amount"], [line["amount"] for line in shown["orders"]]) == (amount, [amount])
    submit_evidence(dispute_of_two_merchants.id, shop.merchant.id, Evidence(statement="本人签收"), by=BY, at=NOON)
    assert Dispute.objects.get().state == "open"
    assert Api(power_bank).get(f"disputes/{dispute_of_two_merchants.public_id}").json()["evidence"] is None
    submit_evidence(dispute_of_two_merchants.id, power_bank.merchant.id, Evidence(statement="已归还"), by=BY, at=NOON)
    row = Dispute.objects.get()
    assert row.state == "contested"
    assert [line for line in row.evidence.splitlines() if "statement" in line] == [
        "statement: 本人签收",
        "statement: 已归还",
    ]


@pytest.mark.breaks_invariants
def test_at_the_deadline_the_evidence_of_some_merchants_is_sent(dispute_of_two_merchants: Dispute, shop: Shop) -> None:
    submit_evidence(dispute_of_two_merchants.id, shop.merchant.id, Evidence(statement="本人签收"), by=BY, at=NOON)
    process_due_disputes(shop.realm_id, at=NOON + 7 * ONE_DAY)
    row = Dispute.objects.get()
    assert (row.state, row.evidence.count("statement")) == ("contested", 1)
