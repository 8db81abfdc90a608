"""Colleagues and workers at the console's newer desks at once: a merchant stops once, and a file has each row once."""

from functools import partial
from uuid import uuid4

import pytest

from accounts.services import create_staff
from kernel.actor import Actor
from merchants import services as merchants
from merchants.models import Merchant
from office.services import files
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, opened, ordered, someone
from tests.races.ground import rounds
from tests.threads import at_once, refusals

pytestmark = pytest.mark.django_db(transaction=True)
MEI, BOSS = (Actor.staff(uuid4()) for _ in range(2))


def test_two_who_suspend_a_merchant_at_once_do_it_once_and_who_orders_meanwhile_is_let_in_or_refused(
    power_bank: Shop,
) -> None:
    agreement, merchant = opened(power_bank, someone(power_bank)), power_bank.merchant
    for number in rounds("suspended while ordered at"):
        suspend = [partial(merchants.suspend_merchant, merchant.id, "投诉🙁", by=who, at=NOON) for who in (MEI, BOSS)]
        order = partial(ordered, power_bank, agreement, out_order_no=f"R{number}")
        codes = sorted(refusals(at_once(*suspend, order)))
        assert codes in (["merchant_state"], ["merchant_not_active", "merchant_state"])
        made = Order.objects.filter(out_order_no=f"R{number}")
        assert made.count() == ("merchant_not_active" not in codes)
        assert Merchant.objects.get(pk=merchant.id).history.filter(kind="suspended").count() == number
        for one in made:  # what came to be ends as it would have
            orders.cancel_order(one.id, "x", by=BY, at=NOON)
        merchants.resume_merchant(merchant.id, "x", by=BY, at=NOON)


def test_a_file_that_several_make_at_once_has_every_row_once(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROWS_A_STEP", 2)
    agreement = opened(power_bank, someone(power_bank))
    numbers = [ordered(power_bank, agreement, title="充电宝🔋").out_order_no for _ in range(7)]
    for number in rounds("one file, four hands"):
        user = create_staff(f"lister{number}", "correct horse battery", roles=["finance"], by=BY, at=NOON)
        listing = files.ask_file(user, "orders.order", "", "csv", language="en", at=NOON)
        at_once(*[partial(files.make_files, at=NOON, seconds=20)] * 4)
        _row, pieces, size = files.fetch_file(user, listing.id, at=NOON)
        text = b"".join(pieces)
        assert len(text) == size
        assert [text.decode().count(f",{one},") for one in numbers] == [1] * len(numbers)
