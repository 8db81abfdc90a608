"""Colleagues say that a channel took money back, answer it with evidence, or give it up, each on its own page."""

from collections.abc import Callable

from django.test import Client

from billing.channels import bank_returns
from billing.models import Deduction, Dispute
from billing.services.callbacks import deliver_callbacks
from tests.billing.bench import balances, deduction_of, paid
from tests.conftest import NOON, Shop
from tests.console.conftest import does, words_of
from tests.stillness import nothing_moves


def test_the_sandbox_bank_is_told_to_take_a_debit_back_and_a_colleague_answers(
    shop: Shop, at_desk: Callable[..., Client]
) -> None:
    order = paid(shop, "49.90")
    row, finance = deduction_of(order), at_desk("finance")
    path = f"/ops/do/{row.public_id}/taken_back"
    assert "49.90" in words_of(finance.get(path))
    assert at_desk("support").get(path).status_code == 403
    with nothing_moves():
        assert does(finance, path, note="x", code="of_my_own").status_code == 422
    assert does(finance, path, note="银行来电<b>", code="not_received").status_code == 302
    assert deliver_callbacks(shop.realm_id, at=NOON.replace(year=2100)) == 1
    dispute = Dispute.objects.get()
    assert "提交申辩" in finance.get(f"/ops/billing/dispute/{dispute.pk}/change/").content.decode()

    say = f"/ops/do/{dispute.public_id}/contest"
    with nothing_moves():
        assert does(finance, say, note="x", evidence="证" * 2001).status_code == 422
    assert does(finance, say, note="x", evidence="签收单<script>").status_code == 302
    dispute = Dispute.objects.get()
    assert (dispute.state, dispute.evidence) == ("contested", "签收单<script>")
    with nothing_moves("django_session"):
        assert finance.get(say).status_code == 404


def test_it_is_given_up_by_saying_who_bears_it(shop: Shop, at_desk: Callable[..., Client]) -> None:
    order = paid(shop, "49.90")
    bank_returns.take_back(deduction_of(order).number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    path = f"/ops/do/{Dispute.objects.get().public_id}/accept"
    boss = at_desk("supervisor", language="en")
    assert "Borne by us" in words_of(boss.get(path))
    does(boss, path, note="our fault", bearer="platform")
    assert (Dispute.objects.get().bearer, balances(shop)["losses"]) == ("platform", 4990)


def test_of_a_debit_that_took_nothing_nothing_is_taken_back(shop: Shop, at_desk: Callable[..., Client]) -> None:
    order = paid(shop, "49.90")
    bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    path = f"/ops/do/{deduction_of(order).public_id}/taken_back"
    assert "没有可退回" in words_of(at_desk("finance").get(path))
    assert Deduction.objects.get().state == "succeeded"
