"""Staff and workers at the console at once: a merchant is suspended once, and a file has each row once."""

from functools import partial
from uuid import uuid4

import pytest

from accounts.services import create_staff
from kernel.actor import Actor
from merchants import services as merchants
from merchants.models import Merchant
from office.services import list_exports
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person
from tests.races.checks import rounds
from tests.threads import refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)
MEI, BOSS = (Actor.staff(uuid4()) for _ in range(2))


def test_two_who_suspend_a_merchant_at_once_do_it_once_and_who_orders_meanwhile_is_let_in_or_refused(
    power_bank: Shop,
) -> None:
    agreement, merchant = make_agreement(power_bank, make_person(power_bank)), power_bank.merchant
    for number in rounds("suspended while ordered at"):
        suspend = [partial(merchants.suspend_merchant, merchant.id, "投诉🙁", by=who, at=NOON) for who in (MEI, BOSS)]
        order = partial(make_order, power_bank, agreement, out_order_no=f"R{number}")
        codes = sorted(refusals(run_concurrently(*suspend, order)))
        assert codes in (["merchant_state"], ["merchant_not_active", "merchant_state"])
        made = Order.objects.filter(out_order_no=f"R{number}")
        assert made.count() == ("merchant_not_active" not in codes)
        assert Merchant.objects.get(pk=merchant.id).history.filter(kind="suspended").count() == number
        for one in made:  # what came to be ends as it would have
            orders.cancel_order(one.id, "x", by=BY, at=NOON)
        merchants.resume_merchant(merchant.id, "x", by=BY, at=NOON)


def test_a_file_that_several_make_at_once_has_every_row_once(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_exports, "ROWS_A_STEP", 2)
    agreement = make_agreement(power_bank, make_person(power_bank))
    numbers = [make_order(power_bank, agreement, title="充电宝🔋").out_order_no for _ in range(7)]
    for number in rounds("one file, four hands"):
        user = create_staff(f"lister{number}", "correct horse battery", roles=["finance"], by=BY, at=NOON)
        listing = list_exports.request_export(user, "orders.order", "", "csv", language="en", at=NOON)
        run_concurrently(*[partial(list_exports.process_exports, at=NOON, seconds=20)] * 4)
        _row, pieces, size = list_exports.open_export(user, listing.id, at=NOON)
        text = b"".join(pieces)
        assert len(text) == size
        assert [text.decode().count(f",{one},") for one in numbers] == [1] * len(numbers)
