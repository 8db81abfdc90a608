"""Returns whose money cannot move any more: somebody is asked to look, and nobody is told of a debt that is none."""

from accounts.models import Notice
from billing.channels import bank
from billing.models import Case, Refund
from billing.services import cases
from billing.services.return_ends import deny_return, refuse_return
from billing.services.watch_returns import watch_returns
from orders import services as orders
from tests.billing.bench import give_back, paid, token_of
from tests.billing.returning import ONE_DAY, now, sent_back
from tests.conftest import BY, NOON, Shop, completed, fresh, someone, yuan


def test_whoever_has_neither_goods_nor_money_because_their_account_is_closed_is_a_case(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="hard_decline")
    row = sent_back(order)
    assert not Case.objects.exists(), "the merchant may still take the goods back or not, and the money is tried again"
    watch_returns(power_bank.realm_id, at=NOON + 10 * ONE_DAY)

    assert now(row).state == "confirmed"
    assert set(Refund.objects.values_list("state", flat=True)) == {"failed"}
    case = Case.objects.get()
    assert (case.kind, cases.at_stake(case)) == ("refund_given_up", yuan("6"))
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    give_back(order, "6")
    assert fresh(order.id).refunded_minor == 600
    assert not Case.objects.filter(closed_at=None).exists(), "it closes by itself"


def test_an_ordinary_refund_that_is_refused_for_good_is_its_merchants_to_look_at(power_bank: Shop) -> None:
    give_back(paid(power_bank, behaviour="hard_decline"), "6")
    assert (Refund.objects.get().state, Case.objects.exists()) == ("failed", False)


def test_where_nothing_is_owed_a_denied_return_speaks_of_no_debt(power_bank: Shop) -> None:
    called_off = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    failed_ahead = paid(power_bank, behaviour="hard_decline")
    still_owed = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    for order in (called_off, failed_ahead, still_owed):
        row = sent_back(order)
        if order is called_off:
            orders.cancel_order(order.id, "x", by=BY, at=NOON)
        refuse_return(row.id, "x", by=BY, at=NOON)
        deny_return(row.id, "查无退货", by=BY, at=NOON)
    said = Notice.objects.filter(stage__in=["return_over", "return_ended", "return_denied"]).order_by("id")
    assert [one.stage for one in said] == ["return_over", "return_over", "return_ended"]
    assert "您没有欠款" in said[0].body
