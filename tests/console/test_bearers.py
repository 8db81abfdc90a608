"""Who bears what channels take back is a policy: published by two, looked at before, and gone back from."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from billing.channels import bank_returns
from billing.console.bearers import POLICY
from billing.models import Dispute, DisputePolicy
from billing.services import dispute_policy
from billing.services.callbacks import deliver_callbacks
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import Busy, SecondNeeded
from kernel.versions import in_force, publish_version
from merchants.services import offer_service
from tests.billing.bench import deduction_of, paid
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import does, words_of
from tests.office.seconds import ASKED, asked, decided
from tests.stillness import nothing_moves

PAGE = "/ops/bearers/"


def form(**changed: str) -> dict[str, Any]:
    """The form as the first version fills it in."""
    first = POLICY.fields(DisputePolicy.objects.get(version=1).terms)
    return {**{name: str(value) for name, value in first.items()}, "note": "银行改了规则", **changed}


def taken_back(shop: Shop, code: str) -> Dispute:
    order = paid(shop, "6")
    assert bank_returns.take_back(deduction_of(order).number, code, at=live_now())
    deliver_callbacks(shop.realm_id, at=live_now())
    return Dispute.objects.get(deduction=deduction_of(order))


def test_the_first_version_is_as_it_was(power_bank: Shop) -> None:
    first = DisputePolicy.objects.get()
    assert first.terms["words"]["no_funds"] == {"bearer": "person", "heard": False}
    assert first.terms["words"]["otherwise"] == {"bearer": "merchant", "heard": True}
    row = taken_back(power_bank, "duplicate")
    assert (row.state, row.bearer, row.history.get(kind="opened").data["policy"]) == ("open", "merchant", 1)


def test_two_publish_what_counts_from_then_on_and_an_older_version_comes_back(
    power_bank: Shop, boss: Client, at_desk: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispute_policy, "LIVE", power_bank.realm_id)
    before = taken_back(power_bank, "duplicate")
    risk = at_desk("risk")
    own = f"{power_bank.service.public_id} not_received  platform"
    wish = form(duplicate="platform final", answer_days="3", exceptions=own)
    look = risk.post(PAGE, {**wish, "step": "look", "token": "0" * 24})
    assert "最近 90 天的 1 笔拒付中，1 笔会改由他方承担：用户 0 笔、商户 0 笔、平台 1 笔；另有 1 笔" in words_of(look)
    with nothing_moves(*ASKED):
        row = asked(risk, PAGE, **wish)
    page = words_of(boss.get(f"/ops/second/{row.public_id}"))
    assert "platform final" in page
    decided(boss, row)

    made = DisputePolicy.objects.get(version=2)
    assert (made.reason, "+" in made.by) == ("银行改了规则", True)
    after = taken_back(power_bank, "duplicate")
    assert (after.state, after.bearer, after.answer_until) == ("lost", "platform", None)
    heard = taken_back(power_bank, "not_received")
    assert heard.bearer == "platform"
    assert heard.answer_until
    assert (heard.answer_until - heard.opened_at).days == 3
    before = Dispute.objects.get(pk=before.pk)
    assert (before.state, before.bearer) == ("open", "merchant"), "what was begun stays"
    assert 'value="platform final" selected' in boss.get(PAGE).content.decode()
    assert 'value="platform final" selected' not in boss.get(f"{PAGE}?version=1").content.decode()
    assert "重新发布" in words_of(boss.get(PAGE))
    assert in_force(DisputePolicy, at=NOON).version == 1


def test_what_cannot_be_published_is_not_asked_for(
    power_bank: Shop, boss: Client, at_desk: Callable[..., Client]
) -> None:
    own = power_bank.service.public_id
    wrong = [
        {"duplicate": "nobody"},
        {"answer_days": "0"},
        {"answer_days": "61"},
        {"answer_days": "x"},
        {"exceptions": "x"},
        {"exceptions": f"{own} not_received king"},
        {"exceptions": f"{own} elsewhere person"},
        {"exceptions": f"svc_{'0' * 32} duplicate person"},
        {"exceptions": f"{own} duplicate person\n{own} duplicate merchant"},
        {"exceptions": "\x00"},
        {"note": " "},
    ]
    for each in wrong:
        with nothing_moves(*ASKED[2:]):
            assert does(boss, PAGE, **form(**each)).status_code == 422, each
    assert at_desk("support").get(PAGE).status_code == 403


@pytest.mark.django_db
def test_nobody_publishes_alone_or_over_a_version_they_have_not_read() -> None:
    terms = DisputePolicy.objects.get().terms
    with nothing_moves(), pytest.raises(SecondNeeded):
        publish_version(DisputePolicy, terms, "x", after=1, by=Actor.staff(DisputePolicy.objects.get().id), at=NOON)
    publish_version(DisputePolicy, terms, "x", after=1, by=BY, at=NOON)
    with nothing_moves(), pytest.raises(Busy):
        publish_version(DisputePolicy, terms, "x", after=1, by=BY, at=NOON)


def test_orders_of_several_services_follow_the_general_rule(power_bank: Shop) -> None:
    other = offer_service(
        power_bank.merchant.id, {"name": "雨伞", "mode": "dynamic", "ceiling_minor": 900}, by=BY, at=NOON
    )
    terms = dict(DisputePolicy.objects.get().terms)
    terms["exceptions"] = [{"service": other.public_id, "word": "otherwise", "bearer": "platform"}]
    publish_version(DisputePolicy, terms, "x", after=1, by=BY, at=NOON)
    row = taken_back(power_bank, "not_received")
    assert row.bearer == "merchant"
