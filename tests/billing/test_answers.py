"""Merchants say what speaks against a debit that was taken back: by API, once, until the deadline."""

from datetime import timedelta

import pytest

from billing.channels import bank_returns
from billing.models import Dispute, DisputeLine
from billing.refusals import DisputeClosed
from billing.services.answers import Evidence, answer_dispute, contest_dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.press_disputes import press_disputes
from kernel.models import Realm
from merchants.models import Event
from orders.models import Order
from tests.api import Api, key, refused
from tests.billing.bench import deduction_of, paid
from tests.conftest import BY, NOON, Shop
from tests.stillness import nothing_moves

ONE_DAY = timedelta(days=1)
SAID = {"statement": "本人签收", "carrier": "顺丰速运", "tracking_number": "SF1020304050607"}


def disputed(shop: Shop, amount: str = "49.90") -> tuple[Order, Dispute]:
    """The bank takes back what it had paid, at noon of a clock that stands still."""
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    order = paid(shop, amount)
    assert bank_returns.take_back(deduction_of(order).number, "not_received", at=NOON)
    assert deliver_callbacks(shop.realm_id, at=NOON) == 1
    return order, Dispute.objects.get(deduction=deduction_of(order))


def test_it_is_listed_read_and_answered_and_goes_to_the_channel_word_for_word(shop: Shop) -> None:
    order, row = disputed(shop)
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
        press_disputes(shop.realm_id, at=NOON + days * ONE_DAY)
    assert api.get(f"disputes/{row.public_id}").json()["state"] == "won"
    told = Event.objects.filter(subject_id=order.id, type__startswith="dispute.").order_by("sequence")
    assert [one.type for one in told] == ["dispute.opened", "dispute.contested", "dispute.won"]


def test_the_same_again_is_the_same_and_other_words_are_refused(shop: Shop) -> None:
    _order, row = disputed(shop)
    api, path = Api(shop), f"disputes/{row.public_id}/evidence"
    first = api.post(path, SAID, **key("e-1"))
    with nothing_moves():
        again = api.post(path, SAID, **key("e-1"))
        assert again.content == first.content
        assert again["Idempotent-Replayed"] == "true"
        assert api.post(path, SAID).json()["evidence"]["statement"] == "本人签收"
        refused(api.post(path, SAID | {"statement": "另一种说法"}), 409, "dispute_closed")
        refused(api.post(path, SAID | {"statement": "x"}, **key("e-1")), 422)


def test_what_says_nothing_or_cannot_be_a_number_is_refused(shop: Shop) -> None:
    _order, row = disputed(shop)
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
    with nothing_moves():
        for body in wrong:
            refused(api.post(path, body), 422)
        assert refused(api.post(path, {"statement": " \n"}), 422)["code"] == "evidence_invalid"
        refused(api.get("disputes?order=x"), 404)


def test_after_the_deadline_nobody_is_heard_also_before_the_ring(shop: Shop) -> None:
    _order, row = disputed(shop)
    late = NOON + 7 * ONE_DAY
    with nothing_moves(), pytest.raises(DisputeClosed):
        answer_dispute(row.id, shop.merchant.id, Evidence(statement="x"), by=BY, at=late)
    press_disputes(shop.realm_id, at=late)
    assert Dispute.objects.get().state == "lost"
    with nothing_moves():
        refused(Api(shop).post(f"disputes/{row.public_id}/evidence", SAID), 409, "dispute_closed")


def test_what_a_colleague_said_stands_and_the_merchant_is_too_late(shop: Shop) -> None:
    _order, row = disputed(shop)
    contest_dispute(row.id, "平台的说明", by=BY, at=NOON)
    with nothing_moves(), pytest.raises(DisputeClosed):
        answer_dispute(row.id, shop.merchant.id, Evidence(statement="x"), by=BY, at=NOON)
    assert Dispute.objects.get().evidence == "平台的说明"


@pytest.fixture
def shared(shop: Shop, power_bank: Shop) -> Dispute:
    """One debit for orders of two merchants, as in the live world: made here of two, for a sandbox has one merchant."""
    _order, row = disputed(shop)
    other = paid(power_bank, "6")
    DisputeLine.objects.create(
        dispute=row,
        taken=other.deduction_lines.get(),
        order=other,
        merchant=power_bank.merchant,
        amount_minor=600,
    )
    return row


@pytest.mark.breaks_the_house
def test_of_several_merchants_each_sees_their_own_part_and_all_are_waited_for(
    shared: Dispute, shop: Shop, power_bank: Shop
) -> None:
    for one, amount in ((shop, 4990), (power_bank, 600)):
        shown = Api(one).get(f"disputes/{shared.public_id}").json()
        assert (shown["amount"], [line["amount"] for line in shown["orders"]]) == (amount, [amount])
    answer_dispute(shared.id, shop.merchant.id, Evidence(statement="本人签收"), by=BY, at=NOON)
    assert Dispute.objects.get().state == "open"
    assert Api(power_bank).get(f"disputes/{shared.public_id}").json()["evidence"] is None
    answer_dispute(shared.id, power_bank.merchant.id, Evidence(statement="已归还"), by=BY, at=NOON)
    row = Dispute.objects.get()
    assert row.state == "contested"
    assert [line for line in row.evidence.splitlines() if "statement" in line] == [
        "statement: 本人签收",
        "statement: 已归还",
    ]


@pytest.mark.breaks_the_house
def test_at_the_deadline_what_some_said_goes_without_the_others(shared: Dispute, shop: Shop) -> None:
    answer_dispute(shared.id, shop.merchant.id, Evidence(statement="本人签收"), by=BY, at=NOON)
    press_disputes(shop.realm_id, at=NOON + 7 * ONE_DAY)
    row = Dispute.objects.get()
    assert (row.state, row.evidence.count("statement")) == ("contested", 1)
