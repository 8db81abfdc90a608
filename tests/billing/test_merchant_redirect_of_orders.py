"""The signed redirect to the merchant after an order was confirmed or declined."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts.models import Person
from merchants import services as merchants
from orders.models import Order
from tests.api import Api
from tests.billing.test_merchant_redirect import by_hand
from tests.browsing import client_for, visible_text
from tests.conftest import BY, NOON, Shop, make_person

SHOP = "https://shop.example/done?cart=7&order=ord_0&agreement=agr_0&state=evil#top"


def asked(shop: Shop, person: Person, url: str = SHOP) -> tuple[str, str]:
    """An order that waits for its person, and the secret its agreement's merchant was given."""
    merchants.change_service(shop.merchant.id, shop.service.id, {"confirmation": True}, by=BY, at=NOON)
    api = Api(shop)
    made = api.post("agreements", {"service": shop.service.public_id, "person_ref": "u", "return_url": url}).json()
    assert api.post(f"sandbox/agreements/{made['id']}/sign", {"person": person.public_id}).status_code == 200
    order = api.order(made["id"])
    assert order["state"] == "created"
    return order["id"], made["return_secret"]


def redirect_query(browser: Client, order: str) -> dict[str, str]:
    answer = browser.get(f"/confirm/{order}/back")
    assert answer.status_code == 302
    assert answer["Location"].startswith("https://shop.example/done?cart=7&order=ord_")
    pairs = parse_qsl(urlsplit(answer["Location"]).query)
    assert len(pairs) == len(dict(pairs)), "nothing stands there twice"
    return dict(pairs)


def verify(query: dict[str, str], secret: str) -> None:
    """By a library, and by the guide's own lines."""
    by_hand(query, secret)
    headers = {f"webhook-{name}": query[name] for name in ("timestamp", "signature")}
    Webhook(secret).verify(query["state"], headers | {"webhook-id": query["order"]}, json_parse=False)


@pytest.mark.parametrize(("answer", "state"), [("yes", "open"), ("no", "cancelled")])
def test_the_answer_is_returned_to_the_merchant(power_bank: Shop, ada: Person, answer: str, state: str) -> None:
    order, secret = asked(power_bank, ada)
    browser = client_for(ada)
    assert "返回" not in visible_text(browser.get(f"/confirm/{order}"))
    told = browser.post(f"/confirm/{order}", {"answer": answer})
    assert told["Location"] == f"/confirm/{order}"
    page = browser.get(told["Location"])
    assert "返回 来电充电宝（shop.example）" in visible_text(page)
    assert f'href="/confirm/{order}/back"' in page.content.decode()

    query = redirect_query(browser, order)
    assert (query["order"], query["state"]) == (order, state)
    verify(query, secret)
    for wrong in ({"state": "completed"}, {"order": "ord_1"}, {"agreement": "agr_1"}, {"timestamp": "1"}):
        with pytest.raises((ValueError, WebhookVerificationError)):
            verify(query | wrong, secret)


def test_an_unconfirmed_order_redirects_and_stays_pending(power_bank: Shop, ada: Person) -> None:
    order, secret = asked(power_bank, ada)
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, {"score_min": 950}, by=BY, at=NOON)
    browser = client_for(ada)
    told = browser.post(f"/confirm/{order}", {"answer": "yes"})
    assert f'href="/confirm/{order}/back"' in browser.get(told["Location"]).content.decode()
    query = redirect_query(browser, order)
    assert query["state"] == "created"
    verify(query, secret)


def test_without_a_return_url_the_order_is_shown(power_bank: Shop, ada: Person) -> None:
    order, _secret = asked(power_bank, ada, "")
    browser = client_for(ada)
    assert browser.post(f"/confirm/{order}", {"answer": "yes"})["Location"] == f"/orders/{order}"
    assert browser.get(f"/confirm/{order}/back").status_code == 404


def test_another_persons_order_does_not_redirect(power_bank: Shop, ada: Person) -> None:
    order, _secret = asked(power_bank, ada)
    stranger = client_for(make_person(power_bank, name="博文"))
    missing = stranger.get(f"/confirm/ord_{'0' * 32}/back")
    answer = stranger.get(f"/confirm/{order}/back")
    assert (answer.status_code, answer.content) == (404, missing.content)
    assert Order.objects.get().state == "created"
