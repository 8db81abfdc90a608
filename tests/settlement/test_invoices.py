"""Monthly invoices: every fee is invoiced once, numbers have no gaps, and an issued invoice never changes."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import ProgrammingError, transaction

from billing.models import Invoice, InvoiceLine, Settlement
from billing.services import invoices
from billing.services.clock_advance import SweepRunner
from billing.services.invoices import issue_due_invoices
from billing.services.settlements import settle_due
from kernel.models import LIVE
from merchants.models import Merchant
from merchants.rules.cutoff import next_month_end
from tests.billing.helpers import balances, issue_refund, paid_order
from tests.conftest import NOON, Shop, make_shop
from tests.settlement.helpers import settle_and_pay_out
from tests.unchanged import assert_unchanged

#: The end of November in Shanghai, and of December.
NOVEMBER, DECEMBER = datetime(2026, 11, 30, 16, tzinfo=UTC), datetime(2026, 12, 31, 16, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def invoice_numbers() -> list[tuple[int, int]]:
    return list(Invoice.objects.order_by("seq").values_list("seq", "amount_minor"))


def test_the_fees_of_a_month_are_on_one_invoice_line_by_line(power_bank: Shop) -> None:
    order = paid_order(power_bank, "50")
    settle_and_pay_out(power_bank, NOON + ONE_DAY)
    issue_refund(order, "25", at=NOON + 2 * ONE_DAY)
    for at in (NOON + 3 * ONE_DAY, NOVEMBER):
        settle_and_pay_out(power_bank, at)
    with assert_unchanged():
        assert issue_due_invoices(power_bank.realm_id, at=NOVEMBER - timedelta(seconds=1)) == 0
    assert issue_due_invoices(power_bank.realm_id, at=NOVEMBER) == 1

    invoice = Invoice.objects.get()
    assert (invoice.number, invoice.amount_minor, invoice.period_until) == ("INV-000001", 15, NOVEMBER)
    assert balances(power_bank)["fees"] == 15, "what the book says that we earned"
    lines = list(invoice.lines.order_by("id").values_list("charged_minor", "returned_minor"))
    assert lines == [(30, 0), (0, 15)]
    assert Merchant.objects.get(pk=power_bank.merchant.pk).invoices_at == DECEMBER
    with assert_unchanged():
        assert issue_due_invoices(power_bank.realm_id, at=NOVEMBER) == 0


def test_a_month_waits_for_its_last_settlement(power_bank: Shop) -> None:
    paid_order(power_bank, "50")
    with assert_unchanged():
        assert issue_due_invoices(power_bank.realm_id, at=NOVEMBER + ONE_DAY) == 0
    settle_due(power_bank.realm_id, at=NOVEMBER + ONE_DAY)
    issue_due_invoices(power_bank.realm_id, at=NOVEMBER + ONE_DAY)
    assert invoice_numbers() == [(1, 30)]


def test_a_month_without_fees_has_no_invoice_and_takes_no_number(power_bank: Shop) -> None:
    SweepRunner(power_bank.realm_id, lambda to: to).run_until(NOON, DECEMBER + ONE_DAY, until=float("inf"))
    assert invoice_numbers() == []
    paid_order(power_bank, "50")
    SweepRunner(power_bank.realm_id, lambda to: to).run_until(
        DECEMBER + ONE_DAY, DECEMBER + 40 * ONE_DAY, until=float("inf")
    )
    assert invoice_numbers() == [(1, 30)]


def test_a_failing_merchant_does_not_stop_other_invoices(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [power_bank.live, make_shop("雨伞🌂").live, make_shop("自行车").live]
    Merchant.objects.filter(realm_id=LIVE).update(settles_at=NOVEMBER + ONE_DAY, invoices_at=NOVEMBER)
    charged = invoices._uninvoiced_fees  # noqa: SLF001  where it would go wrong

    def broken(merchant: Merchant, until: datetime) -> list[invoices.SettlementFees]:
        if merchant.id == others[0].id:
            raise RuntimeError("its lines cannot be read")
        return charged(merchant, until)

    monkeypatch.setattr(invoices, "_uninvoiced_fees", broken)
    with pytest.raises(RuntimeError):
        issue_due_invoices(LIVE, at=NOVEMBER)
    ends = [Merchant.objects.get(pk=merchant.pk).invoices_at for merchant in others]
    assert ends == [NOVEMBER, DECEMBER, DECEMBER]
    monkeypatch.undo()
    assert issue_due_invoices(LIVE, at=NOVEMBER) == 1


def test_each_realm_numbers_its_own_invoices(power_bank: Shop) -> None:
    other = make_shop("另一家")
    for shop in (power_bank, other, power_bank):
        paid_order(shop, "50")
    for shop in (power_bank, other):
        settle_due(shop.realm_id, at=NOVEMBER)
        issue_due_invoices(shop.realm_id, at=NOVEMBER)
    assert list(Invoice.objects.order_by("id").values_list("realm_id", "seq")) == [
        (power_bank.realm_id, 1),
        (other.realm_id, 1),
    ]


def test_postgres_lets_no_settlement_be_invoiced_twice_and_no_invoice_change(power_bank: Shop) -> None:
    paid_order(power_bank, "50")
    settle_and_pay_out(power_bank, NOVEMBER)
    issue_due_invoices(power_bank.realm_id, at=NOVEMBER)
    line = InvoiceLine.objects.get()
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        Invoice.objects.update(amount_minor=1)
    assert line.id == line.settlement_id == Settlement.objects.get().id


def test_a_month_ends_at_the_merchants_own_cut_off() -> None:
    assert next_month_end(NOON, "Asia/Shanghai", 0) == NOVEMBER
    assert next_month_end(NOVEMBER, "Asia/Shanghai", 0) == DECEMBER
    assert next_month_end(NOVEMBER, "Asia/Shanghai", 6) == NOVEMBER + timedelta(hours=6)
    assert next_month_end(DECEMBER + 29 * ONE_DAY, "Asia/Shanghai", 0) == DECEMBER + 31 * ONE_DAY
    second = timedelta(seconds=1)
    february = datetime(2028, 2, 29, 16, tzinfo=UTC)  # the last day of a leap year's
    assert next_month_end(february - second, "Asia/Shanghai", 0) == february
    assert next_month_end(february, "Asia/Shanghai", 0) == datetime(2028, 3, 31, 16, tzinfo=UTC)
    spring = datetime(2027, 3, 31, 22, tzinfo=UTC)  # Berlin moved its clocks three days before
    assert next_month_end(datetime(2027, 3, 1, tzinfo=UTC), "Europe/Berlin", 0) == spring
