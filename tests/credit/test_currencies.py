"""Each currency has a limit of its own."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from accounts import services as accounts
from accounts.models import Person
from billing.services import instruments
from billing.services.deduct import deduct_due
from bnpl.invariants import find_violations
from credit import limits, rules
from credit import services as credit
from credit.models import CurrencyLimit, Profile
from kernel.money import AMOUNT_MINOR_MAX, OFFERED_CURRENCIES
from kernel.refusal import Invalid, NotFound
from merchants import services as merchants
from orders import services as orders
from tests.api import Api
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

YEN = {"name": "東京のロッカー", "currency": "JPY", "mode": "dynamic", "ceiling_minor": 60_000}


def abroad(shop: Shop, **terms: object) -> Shop:
    """The same merchant's service in yen."""
    return replace(shop, service=merchants.offer_service(shop.merchant.id, YEN | terms, by=BY, at=NOON))


def used_of(person: Person) -> dict[str, tuple[int, int, int]]:
    """Limit, held and owed, by currency."""
    rows = [Profile.objects.get(pk=person.id), *CurrencyLimit.objects.filter(person=person)]
    return {row.currency: (row.limit_minor, row.held_minor, row.outstanding_minor) for row in rows}


def limit_of(person: Person, currency: str) -> int:
    return rules.limit_of(Profile.objects.get(pk=person.id).score, currency)


def test_each_currency_has_a_limit_of_its_own(power_bank: Shop, ada: Person) -> None:
    locker = abroad(power_bank)
    home, away = (
        make_order(power_bank, make_agreement(power_bank, ada)),
        make_order(locker, make_agreement(locker, ada), currency="JPY"),
    )
    yuan, yen = limit_of(ada, "CNY"), limit_of(ada, "JPY")
    assert used_of(ada) == {"CNY": (yuan, 9_900, 0), "JPY": (yen, 60_000, 0)}
    assert Profile.objects.get(pk=ada.id).open_orders == 2

    orders.complete_order(away.id, orders.CompletionRequest(total=1_234), by=BY, at=NOON)
    assert used_of(ada) == {"CNY": (yuan, 9_900, 0), "JPY": (yen, 0, 1_234)}
    assert list(find_violations()) == []
    for order in (home, away):
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    assert used_of(ada) == {"CNY": (yuan, 0, 0), "JPY": (yen, 0, 0)}
    assert list(find_violations()) == []


def test_what_is_too_much_in_one_currency_is_refused_whatever_is_left_in_another(power_bank: Shop, ada: Person) -> None:
    locker = abroad(power_bank, ceiling_minor=limit_of_first("JPY"))
    agreement = make_agreement(locker, ada)
    make_order(locker, agreement, currency="JPY")
    wish = {"title": "ロッカー", "currency": "JPY", "out_order_no": "second", "agreement": agreement.public_id}
    with assert_unchanged("credit_decision"):
        refused = Api(power_bank).post("orders", wish)
    assert (refused.status_code, refused.json()["reason"]) == (402, "amount_too_high")
    assert make_order(power_bank, make_agreement(power_bank, ada)).state == "open"
    assert list(find_violations()) == []


def limit_of_first(currency: str) -> int:
    return rules.limit_of(instruments.SANDBOX_SCORE, currency)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_pass_a_limit_of_another_currency(power_bank: Shop, ada: Person) -> None:
    locker = abroad(power_bank, ceiling_minor=limit_of_first("JPY") // 3)
    make_agreement(power_bank, ada)
    agreement = make_agreement(locker, ada)
    wishes = [
        orders.OrderRequest(agreement_id=agreement.id, out_order_no=f"J{n}", title="ロッカー", currency="JPY")
        for n in range(6)
    ]
    outcomes = run_concurrently(
        *[partial(orders.open_order, locker.merchant.id, wish, by=BY, at=NOON) for wish in wishes]
    )
    assert sum(outcome.order is not None for outcome in outcomes) == 3
    assert used_of(ada)["JPY"] == (limit_of_first("JPY"), 3 * locker.service.ceiling_minor, 0)
    assert Profile.objects.get(pk=ada.id).open_orders == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_two_services_opened_at_once_make_one_profile_and_one_limit_beside_it(power_bank: Shop, _round: int) -> None:
    person = accounts.create_sandbox_person("花子", realm_id=power_bank.realm_id, by=BY, at=NOON)
    outcomes = run_concurrently(
        partial(make_agreement, power_bank, person), partial(make_agreement, abroad(power_bank), person)
    )
    assert [agreement.state for agreement in outcomes] == ["active", "active"]
    assert {code: limit for code, (limit, _, _) in used_of(person).items()} == {
        code: limit_of(person, code) for code in ("CNY", "JPY")
    }


@pytest.mark.usefixtures("all_attempted")
@pytest.mark.parametrize("pays", [True, False])
def test_both_are_collected_in_one_sweep_and_charged_for_being_late_each_in_its_own(
    power_bank: Shop, *, pays: bool
) -> None:
    """Across the end of a month, for somebody who owes in both currencies."""
    fees: dict[str, object] = {"late_fee_daily_bps": 100, "late_fee_cap_bps": 2000}
    person = make_person(power_bank, "pays" if pays else "no_funds", "🙂花子")
    terms: dict[str, object] = {"name": "充电宝", "mode": "dynamic", "ceiling_minor": 9_900}
    home = replace(power_bank, service=merchants.offer_service(power_bank.merchant.id, terms | fees, by=BY, at=NOON))
    for shop, currency in ((home, "CNY"), (abroad(power_bank, **fees), "JPY")):
        order = make_order(shop, make_agreement(shop, person), currency=currency)
        orders.complete_order(order.id, orders.CompletionRequest(total=5_000), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    yuan, yen = limit_of_first("CNY"), limit_of_first("JPY")
    if pays:
        assert used_of(person) == {"CNY": (yuan, 0, 0), "JPY": (yen, 0, 0)}
        return
    for days in range(4, 13):  # overdue after three days of grace; the twelfth is in December
        orders.mark_overdue(power_bank.realm_id, at=NOON + timedelta(days=days), limit=10)
        orders.close_days(power_bank.realm_id, at=NOON + timedelta(days=days), limit=10)
    (_, held, owed), (_, held_abroad, owed_abroad) = used_of(person).values()
    assert (held, held_abroad) == (0, 0)
    assert owed == owed_abroad > 5_000
    assert Profile.objects.get(pk=person.id).overdue_orders == 2


def test_the_first_service_opened_says_which_currency_is_a_persons_own(power_bank: Shop) -> None:
    person = accounts.create_sandbox_person("花子", realm_id=power_bank.realm_id, by=BY, at=NOON)
    locker = abroad(power_bank)
    make_agreement(locker, person)
    assert used_of(person) == {"JPY": (limit_of(person, "JPY"), 0, 0)}
    make_agreement(power_bank, person)
    assert used_of(person) == {"JPY": (limit_of(person, "JPY"), 0, 0), "CNY": (limit_of(person, "CNY"), 0, 0)}


def test_the_page_shows_each_limit_and_two_colleagues_set_each(power_bank: Shop, ada: Person) -> None:
    freeze_clock(NOON, ada)
    make_agreement(power_bank, ada)
    page = visible_text(client_for(ada).get("/credit/"))
    assert (page.count("可用"), "每种货币各有额度" in page) == (1, False)
    make_agreement(abroad(power_bank), ada)
    limits.change_limit(ada.id, 77_000, "x", currency="JPY", by=BY, at=NOON)
    page = visible_text(client_for(ada).get("/credit/"))
    assert "JP¥77,000" in page
    assert "每种货币各有额度" in page
    assert list(find_violations()) == []
    with assert_unchanged(), pytest.raises(NotFound):
        limits.change_limit(ada.id, 1, "x", currency="EUR", by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(Invalid):
        limits.change_limit(ada.id, 77_000, "x", currency="JPY", by=BY, at=NOON)


@pytest.mark.parametrize(("left", "yen"), [(0, 0), (1_000, 200), (9_999_900, 200_000)])
def test_a_limit_opened_later_is_no_way_around_what_colleagues_set(power_bank: Shop, left: int, yen: int) -> None:
    person = make_person(power_bank)
    make_agreement(power_bank, person)
    limits.change_limit(person.id, left, "x", by=BY, at=NOON)
    assert CurrencyLimit.objects.count() == 0
    agreement = credit.request_agreement(power_bank.merchant.id, abroad(power_bank).service.id, "u-9", by=BY, at=NOON)
    signed = credit.sign_agreement(agreement.id, person.id, by=BY, at=NOON)
    assert CurrencyLimit.objects.get().limit_minor == yen
    assert signed.decision.approved == bool(left)


@pytest.mark.parametrize("currency", ["XXX", "ABC", "cny", "CNY\n", "💴", "人民币", "C" * 10_000_000])
def test_nothing_is_offered_in_a_currency_without_limits(power_bank: Shop, currency: str) -> None:
    with assert_unchanged():
        answer = Api(power_bank).post("services", {"name": "x", "mode": "fixed", "ceiling": 1, "currency": currency})
    assert answer.status_code == (422 if len(currency) < 1_000_000 else 413), answer.content
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["pointer"] == "/currency"


def test_every_currency_offered_has_a_limit_that_grows_with_the_score() -> None:
    assert set(rules.UNITS_PER_YUAN) == OFFERED_CURRENCIES
    for currency in OFFERED_CURRENCIES:
        steps = [rules.limit_of(floor, currency) for floor, _, _ in rules.BANDS]
        assert steps == sorted(set(steps)), currency
        assert rules.limit_in_currency(rules.LIMIT_MAX_MINOR, currency) <= AMOUNT_MINOR_MAX
    assert [rules.limit_of(650, code) for code in ("USD", "JPY", "KWD", "XXX")] == [71_428, 100_000, 250_000, 0]


def test_what_had_counted_as_another_currency_moves_to_a_limit_of_its_own(power_bank: Shop, ada: Person) -> None:
    """Data from before each currency had a limit: yen and yuan in one sum."""
    locker = abroad(power_bank)
    make_order(power_bank, make_agreement(power_bank, ada))
    away = make_order(locker, make_agreement(locker, ada), currency="JPY")
    orders.complete_order(away.id, orders.CompletionRequest(total=1_234), by=BY, at=NOON)
    make_order(locker, away.agreement, currency="JPY")
    right = used_of(ada)
    CurrencyLimit.objects.update(currency="AAA", held_minor=0, outstanding_minor=0)
    Profile.objects.filter(pk=ada.id).update(held_minor=69_900, outstanding_minor=1_234)

    import_module("credit.migrations.0007_money_by_currency").part(apps, SimpleNamespace(connection=connection))
    assert {code: used for code, used in used_of(ada).items() if code != "AAA"} == right
    assert list(find_violations()) == []
