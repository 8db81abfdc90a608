"""Staff record disputes, submit evidence, and accept disputes in the console."""

from collections.abc import Callable

from django.test import Client

from billing.channels import bank_disputes
from billing.models import Deduction, Dispute
from billing.services.callbacks import deliver_callbacks
from tests.billing.helpers import balances, latest_deduction_of, paid_order
from tests.conftest import NOON, Shop
from tests.console.conftest import page_text, submit_form
from tests.unchanged import assert_unchanged


def test_a_sandbox_dispute_is_recorded_and_contested(shop: Shop, console_client: Callable[..., Client]) -> None:
    order = paid_order(shop, "49.90")
    row, finance = latest_deduction_of(order), console_client("finance")
    path = f"/ops/do/{row.public_id}/taken_back"
    assert "49.90" in page_text(finance.get(path))
    assert console_client("support").get(path).status_code == 403
    with assert_unchanged():
        assert submit_form(finance, path, note="x", code="of_my_own").status_code == 422
    assert submit_form(finance, path, note="银行来电<b>", code="not_received").status_code == 302
    assert deliver_callbacks(shop.realm_id, at=NOON.replace(year=2100)) == 1
    dispute = Dispute.objects.get()
    assert "提交申辩" in finance.get(f"/ops/billing/dispute/{dispute.pk}/change/").content.decode()

    say = f"/ops/do/{dispute.public_id}/contest"
    with assert_unchanged():
        assert submit_form(finance, say, note="x", evidence="证" * 2001).status_code == 422
    assert submit_form(finance, say, note="x", evidence="签收单<script>").status_code == 302
    dispute = Dispute.objects.get()
    assert (dispute.state, dispute.evidence) == ("contested", "签收单<script>")
    with assert_unchanged("django_session"):
        assert finance.get(say).status_code == 404


def test_a_dispute_is_accepted_with_the_liable_party(shop: Shop, console_client: Callable[..., Client]) -> None:
    order = paid_order(shop, "49.90")
    bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    path = f"/ops/do/{Dispute.objects.get().public_id}/accept"
    supervisor = console_client("supervisor", language="en")
    assert "Borne by us" in page_text(supervisor.get(path))
    submit_form(supervisor, path, note="our fault", bearer="platform")
    assert (Dispute.objects.get().bearer, balances(shop)["losses"]) == ("platform", 4990)


def test_a_failed_deduction_cannot_be_disputed(shop: Shop, console_client: Callable[..., Client]) -> None:
    order = paid_order(shop, "49.90")
    bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    path = f"/ops/do/{latest_deduction_of(order).public_id}/taken_back"
    assert "没有可退回" in page_text(console_client("finance").get(path))
    assert Deduction.objects.get().state == "succeeded"
