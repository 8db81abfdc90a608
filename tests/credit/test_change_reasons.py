"""The changes of score and limit that a person sees are the real ones."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from credit.limits import change_limit
from credit.models import Decision, Profile, ScoreChange
from orders import services as orders
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.overdue import make_overdue

pytestmark = pytest.mark.django_db


def test_at_the_highest_score_a_promise_kept_adds_what_there_is_to_add(power_bank: Shop) -> None:
    person = make_person(power_bank)
    first = make_due_order(power_bank, person, yuan("5"))
    Profile.objects.filter(pk=person.id).update(score=949)
    deduct_due(power_bank.realm_id, at=NOON)
    orders.complete_order(make_order(power_bank, first.agreement).id, orders.CompletionRequest(total=1), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    changes = ScoreChange.objects.order_by("id").values_list("reason", "delta", "score")
    assert list(changes) == [("kept", 1, 950), ("kept", 0, 950)]


def test_what_moves_it_at_once_is_told_one_by_one(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds")
    agreement = make_agreement(power_bank, person)
    for _ in range(2):
        orders.complete_order(make_order(power_bank, agreement).id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    before = Profile.objects.get(pk=person.id).score
    make_overdue(power_bank.realm_id, at=NOON + timedelta(days=3), limit=9)
    changes = ScoreChange.objects.order_by("id").values_list("delta", "score")
    assert list(changes) == [(-40, before - 40), (-40, before - 80)]


def test_a_limit_that_colleagues_set_is_not_said_to_follow_the_score(power_bank: Shop) -> None:
    person = make_person(power_bank)
    agreement = make_agreement(power_bank, person)
    freeze_clock(NOON, person)
    page, follows = client_for(person, "en"), "Your limit follows your score"
    assert follows in visible_text(page.get("/credit/"))
    change_limit(person.id, 0, "x", by=BY, at=NOON)
    said = visible_text(page.get("/credit/"))
    assert follows not in said
    assert "Our staff set this limit. It stays fixed until they let it follow your score again." in said

    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="N1", title="x", currency="CNY")
    refused = orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON).decision
    assert refused
    assert refused.reasons == ["no_credit_in_this_band"]
    said = visible_text(page.get(f"/credit/{refused.public_id}"))
    assert "You have no available credit limit at the moment." in said
    assert "With a score of" not in said


def test_one_order_under_way_is_not_called_several(power_bank: Shop) -> None:
    person = make_person(power_bank)
    agreement = make_agreement(power_bank, person)
    inputs = Decision.objects.get(agreement=agreement).inputs | {"open_orders": 1, "open_orders_max": 1}
    decision = Decision.objects.create(
        realm_id=power_bank.realm_id,
        person=person,
        merchant=power_bank.merchant,
        agreement=agreement,
        occasion="order",
        policy="2026-11.1",
        inputs=inputs,
        approved=False,
        reasons=["too_many_open_orders"],
        at=NOON,
    )
    freeze_clock(NOON, person)
    assert "You have 1 order in progress." in visible_text(
        client_for(person, "en").get(f"/credit/{decision.public_id}")
    )
