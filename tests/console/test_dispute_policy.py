"""Publishing the dispute liability policy: preview, approval by a second colleague, rollback."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from billing.channels import bank_disputes
from billing.console.dispute_policy import POLICY
from billing.models import Dispute, DisputePolicy
from billing.services import dispute_policies
from billing.services.callbacks import deliver_callbacks
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.policy_versions import publish_version, version_in_force
from kernel.refusal import ApprovalRequired, Busy
from merchants.services import offer_service
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

PAGE = "/ops/bearers/"


def form(**changed: str) -> dict[str, Any]:
    """The form as the first version fills it in."""
    first = POLICY.terms_to_fields(DisputePolicy.objects.get(version=1).terms)
    return {**{name: str(value) for name, value in first.items()}, "note": "银行改了规则", **changed}


def disputed(shop: Shop, code: str) -> Dispute:
    order = paid_order(shop, "6")
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, code, at=live_now())
    deliver_callbacks(shop.realm_id, at=live_now())
    return Dispute.objects.get(deduction=latest_deduction_of(order))


def test_the_first_version_keeps_the_former_rules(power_bank: Shop) -> None:
    first = DisputePolicy.objects.get()
    assert first.terms["words"]["no_funds"] == {"bearer": "person", "heard": False}
    assert first.terms["words"]["otherwise"] == {"bearer": "merchant", "heard": True}
    row = disputed(power_bank, "duplicate")
    assert (row.state, row.bearer, row.history.get(kind="opened").data["policy"]) == ("open", "merchant", 1)


def test_a_version_is_published_by_two_and_an_older_one_republished(
    power_bank: Shop, supervisor: Client, console_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispute_policies, "LIVE", power_bank.realm_id)
    before = disputed(power_bank, "duplicate")
    risk = console_client("risk")
    own = f"{power_bank.service.public_id} not_received  platform"
    wish = form(duplicate="platform final", answer_days="3", exceptions=own)
    look = risk.post(PAGE, {**wish, "step": "look", "token": "0" * 24})
    assert "最近 90 天的 1 笔拒付中，1 笔会改由他方承担：用户 0 笔、商户 0 笔、平台 1 笔；另有 1 笔" in page_text(look)
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(risk, PAGE, **wish)
    page = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    assert "由平台承担，立即生效" in page
    decide_on_page(supervisor, row)

    made = DisputePolicy.objects.get(version=2)
    assert (made.reason, "+" in made.by) == ("银行改了规则", True)
    after = disputed(power_bank, "duplicate")
    assert (after.state, after.bearer, after.answer_until) == ("lost", "platform", None)
    heard = disputed(power_bank, "not_received")
    assert heard.bearer == "platform"
    assert heard.answer_until
    assert (heard.answer_until - heard.opened_at).days == 3
    before = Dispute.objects.get(pk=before.pk)
    assert (before.state, before.bearer) == ("open", "merchant"), "what was begun stays"
    assert 'value="platform final" selected' in supervisor.get(PAGE).content.decode()
    assert 'value="platform final" selected' not in supervisor.get(f"{PAGE}?version=1").content.decode()
    assert "重新发布" in page_text(supervisor.get(PAGE))
    assert version_in_force(DisputePolicy, at=NOON).version == 1


def test_invalid_terms_are_rejected_before_approval(
    power_bank: Shop, supervisor: Client, console_client: Callable[..., Client]
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
        with assert_unchanged(*PROPOSAL_TABLES[2:]):
            assert submit_form(supervisor, PAGE, **form(**each)).status_code == 422, each
    assert console_client("support").get(PAGE).status_code == 403


@pytest.mark.django_db
def test_publishing_needs_approval_and_the_latest_version() -> None:
    terms = DisputePolicy.objects.get().terms
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        publish_version(DisputePolicy, terms, "x", after=1, by=Actor.staff(DisputePolicy.objects.get().id), at=NOON)
    publish_version(DisputePolicy, terms, "x", after=1, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(Busy):
        publish_version(DisputePolicy, terms, "x", after=1, by=BY, at=NOON)


def test_orders_of_several_services_follow_the_general_rule(power_bank: Shop) -> None:
    other = offer_service(
        power_bank.merchant.id, {"name": "雨伞", "mode": "dynamic", "ceiling_minor": 900}, by=BY, at=NOON
    )
    terms = dict(DisputePolicy.objects.get().terms)
    terms["exceptions"] = [{"service": other.public_id, "word": "otherwise", "bearer": "platform"}]
    publish_version(DisputePolicy, terms, "x", after=1, by=BY, at=NOON)
    row = disputed(power_bank, "not_received")
    assert row.bearer == "merchant"
