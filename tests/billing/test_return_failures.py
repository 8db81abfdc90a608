"""Returns whose money cannot be refunded any more: a case is opened, and no wrong debt is announced."""

from accounts.models import Notice
from billing.channels import bank
from billing.models import Case, Refund
from billing.services import case_resolutions
from billing.services.return_deadlines import process_due_returns
from billing.services.return_decisions import deny_return, refuse_return
from orders import services as orders
from tests.billing.helpers import issue_refund, paid_order, token_of
from tests.billing.return_helpers import ONE_DAY, opened_return, reloaded
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, reload_order, yuan


def test_returned_goods_with_a_failed_refund_open_a_case(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="hard_decline")
    row = opened_return(order)
    assert not Case.objects.exists(), "the merchant may still take the goods back or not, and the money is tried again"
    process_due_returns(power_bank.realm_id, at=NOON + 10 * ONE_DAY)

    assert reloaded(row).state == "confirmed"
    assert set(Refund.objects.values_list("state", flat=True)) == {"failed"}
    case = Case.objects.get()
    assert (case.kind, case_resolutions.amount_at_stake(case)) == ("refund_given_up", yuan("6"))
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    issue_refund(order, "6")
    assert reload_order(order.id).refunded_minor == 600
    assert not Case.objects.filter(closed_at=None).exists(), "it closes by itself"


def test_ordinary_refund_refused_for_good_opens_no_case(power_bank: Shop) -> None:
    issue_refund(paid_order(power_bank, behaviour="hard_decline"), "6")
    assert (Refund.objects.get().state, Case.objects.exists()) == ("failed", False)


def test_denied_return_without_early_refund_mentions_no_debt(power_bank: Shop) -> None:
    called_off = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    failed_ahead = paid_order(power_bank, behaviour="hard_decline")
    still_owed = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    for order in (called_off, failed_ahead, still_owed):
        row = opened_return(order)
        if order is called_off:
            orders.cancel_order(order.id, "x", by=BY, at=NOON)
        refuse_return(row.id, "x", by=BY, at=NOON)
        deny_return(row.id, "查无退货", by=BY, at=NOON)
    said = Notice.objects.filter(stage__in=["return_over", "return_ended", "return_denied"]).order_by("id")
    assert [one.stage for one in said] == ["return_over", "return_over", "return_ended"]
    assert "您没有欠款" in said[0].body
