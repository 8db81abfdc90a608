"""What the console offers to each group, and CSRF and form tokens. See also tests/office/test_permission_matrix.py."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts import services as accounts
from kernel.admin_site import VIEWERS
from orders import services as orders
from orders.models import Order
from tests.browsing import client_for, signed_in_client
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.console.conftest import staff
from tests.unchanged import assert_unchanged

ALL = frozenset(VIEWERS)
PAGES = {
    "policies/": ALL,
    "policies/new": {"supervisor", "risk"},
    "policies/standard/publish": {"supervisor", "risk"},
    "channels/": ALL,
    "channels/sandbox/out": {"collections", "risk", "supervisor"},
    "channels/sandbox/back": {"collections", "risk", "supervisor"},
    "words/": {"supervisor", "support"},
    "words/debit_failed/zh-hans": {"supervisor", "support"},
    "do/{order}/pause": {"collections", "support", "supervisor"},
    "do/{order}/resume": {"collections", "support", "supervisor"},
    "do/{order}/collect": {"collections", "supervisor"},
}
LINKS = {"policies/": ALL, "channels/": ALL, "words/": {"supervisor", "support"}}


@pytest.fixture
def order(power_bank: Shop) -> Order:
    return make_due_order(power_bank, make_person(power_bank), yuan("12.34"))


def addressed(page: str, order: Order) -> str:
    return f"/ops/{page.format(order=order.public_id)}"


@pytest.mark.parametrize("role", VIEWERS)
def test_what_a_colleague_may_do_is_shown_and_nothing_else(
    role: str, order: Order, console_client: Callable[..., Client]
) -> None:
    client, page_of_order = console_client(role), f"/ops/orders/order/{order.pk}/change/"
    row = client.get(page_of_order).content.decode()
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)  # else nothing is to be resumed, and now nothing collected
    row += client.get(page_of_order).content.decode()
    index = client.get("/ops/").content.decode()
    assert {page for page in LINKS if f'href="/ops/{page}"' in index} == {p for p in LINKS if role in LINKS[p]}
    verbs = {page for page in PAGES if page.startswith("do/")}
    assert {page for page in verbs if addressed(page, order) in row} == {p for p in verbs if role in PAGES[p]}
    assert ("/publish?version=1" in client.get("/ops/policies/").content.decode()) == (role in {"supervisor", "risk"})
    assert ("/sandbox/out" in client.get("/ops/channels/").content.decode()) == (role in PAGES["channels/sandbox/out"])


def test_strangers_sign_in_and_people_and_colleagues_without_a_group_are_turned_away(order: Order) -> None:
    nobody = staff(name="nobody")
    accounts.register_person("+8613812341234", realm_id=order.realm_id, by=BY, at=NOON)
    for page in PAGES:
        path = addressed(page, order)
        assert Client().get(path)["Location"].startswith("/ops/login/")
        assert client_for(order.person).get(path)["Location"].startswith("/ops/login/") if order.person.user else True
        assert signed_in_client(nobody).get(path).status_code == 403


def test_nothing_is_done_without_the_forms_own_token(order: Order) -> None:
    supervisor = staff("supervisor")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(supervisor, backend="django.contrib.auth.backends.ModelBackend")
    for page in PAGES:
        with assert_unchanged():
            assert strict.post(addressed(page, order), {"note": "x", "reason": "hardship"}).status_code == 403


@pytest.mark.parametrize(
    "page",
    [
        "policies/nosuch/publish",
        "channels/telegraph/out",
        "words/nosuch/en",
        "words/debit_failed/fr",
        "do/ord_00000000000000000000000000000000/pause",
        "do/per_00000000000000000000000000000000/pause",
        "do/nonsense/pause",
    ],
)
def test_what_is_not_there_is_not_there(page: str, console_client: Callable[..., Client]) -> None:
    assert console_client("supervisor").get(f"/ops/{page}").status_code == 404
