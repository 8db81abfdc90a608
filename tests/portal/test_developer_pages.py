"""Developer pages: services, keys, endpoints, and an order's whole lifecycle in the sandbox."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Person
from billing.models import Instrument
from billing.services import sandbox_people
from kernel.models import Realm
from merchants import services as merchants
from merchants.models import ApiKey, Change, Service, WebhookDelivery, WebhookEndpoint
from merchants.queries import find_caller
from orders.models import Order
from tests.api import Api
from tests.browsing import form_token, initial_values, visible_text
from tests.conftest import BY, NOON, make_agreement, make_due_order, make_person, state_of, yuan
from tests.late_policy import publish_late_policy
from tests.portal.conftest import Company
from tests.portal.page_fixtures import HOOK


def sends(client: Client, page: str, **fields: Any) -> Any:
    """Opens the page, fills in its form and sends it."""
    shown = client.get(page)
    return client.post(page, {"token": form_token(shown), **initial_values(shown), **fields})


def it_is_noon(firm: Company) -> None:
    Realm.objects.filter(pk=firm.shop.realm_id).update(frozen_at=NOON)


def test_a_service_is_added_changed_and_paused(firm: Company) -> None:
    client, base = firm.browser("developer"), firm.at("test")
    terms = {"name": "雨伞", "mode": "dynamic", "industry": "umbrella", "currency": "CNY", "score_min": "0"}
    assert sends(client, f"{base}services/new", **terms, ceiling="0").status_code == 422
    assert sends(client, f"{base}services/new", **terms, ceiling="29.90", confirmation="on").status_code == 302
    made = Service.objects.latest("id")
    assert (made.ceiling_minor, made.confirmation, made.merchant_id) == (2990, True, firm.shop.merchant.id)
    page = f"{base}services/{made.public_id}"
    answer = sends(client, page, name="大伞", ceiling="39", score_min="600", state="paused")
    assert answer.status_code == 302
    made.refresh_from_db()
    assert (made.name, made.ceiling_minor, made.state, made.confirmation) == ("大伞", 3900, "paused", False)


def test_where_the_platform_permits_less_than_a_service_asks_for_its_row_says_so(firm: Company) -> None:
    client, page = firm.browser("viewer"), f"{firm.at('test')}services/"
    shop, terms = firm.shop, {"grace": timedelta(), "late_fee_daily_bps": 100, "late_fee_cap_bps": 2000}
    assert "3 天后逾期。 无逾期费。" in visible_text(client.get(page))
    merchants.change_service(shop.merchant.id, shop.service.id, terms, by=BY, at=NOON)
    plain = visible_text(client.get(page))
    assert "到期未付即逾期。 逾期费每日 1%，合计最高 20%。" in plain
    assert "按平台规则" not in plain
    publish_late_policy(NOON - timedelta(days=400), grace_hours_least=24, daily_bps_most=5)
    bounded = visible_text(client.get(page))
    assert "1 天后逾期。 逾期费每日 0.05%，合计最高 20%。 此处按平台规则执行。服务自身设定：" in bounded
    assert "到期未付即逾期。 逾期费每日 1%，合计最高 20%。" in bounded


def test_a_key_is_made_exchanged_and_revoked(firm: Company) -> None:
    client, base = firm.browser("developer"), firm.at("live")
    assert sends(client, f"{base}keys/new", name="till").status_code == 422  # it may do nothing
    shown = sends(client, f"{base}keys/new", name="till", scopes=["orders:read", "events:read"])
    first = shown.context["secret"]
    assert first.startswith("sk_live_")
    assert first not in client.get(f"{base}keys/").content.decode()
    caller = find_caller(first)
    assert caller
    assert caller.key.scopes == ["orders:read", "events:read"]
    second = sends(client, f"{base}keys/{caller.key.public_id}/rotate").context["secret"]
    assert sends(client, f"{base}keys/{caller.key.public_id}/rotate").status_code == 422  # two are in use
    assert sends(client, f"{base}keys/{caller.key.public_id}/revoke").status_code == 302
    assert find_caller(first) is None
    assert find_caller(second) is not None
    assert sends(client, f"{base}keys/{caller.key.public_id}/rotate").status_code == 422
    who = f"member:{firm.staff['developer'].user.public_id}"
    verbs = Change.objects.filter(merchant=firm.shop.live, by=who).order_by("id").values_list("verb", flat=True)
    assert list(verbs)[-3:] == ["key_issued", "key_issued", "key_revoked"]
    assert ApiKey.objects.filter(merchant=firm.shop.live, revoked_at__isnull=True).count() == 1


def test_each_of_several_keys_is_exchanged_without_a_gap(firm: Company) -> None:
    """The till's may do one thing, the bookkeeping's another: neither is in the other's way."""
    client, base = firm.browser("developer"), firm.at("live")
    kinds = {"till": ["orders:read"], "books": ["settlements:read", "events:read"], "hooks": ["webhooks:read"]}
    for name, scopes in kinds.items():
        assert sends(client, f"{base}keys/new", name=name, scopes=scopes).status_code == 200
    assert "同一用途有两个" not in visible_text(client.get(base))
    rows = ApiKey.objects.filter(merchant=firm.shop.live)
    for key in list(rows):
        assert f"{key.public_id}/rotate" in client.get(f"{base}keys/").content.decode()
        assert sends(client, f"{base}keys/{key.public_id}/rotate").status_code == 200
        assert sends(client, f"{base}keys/{key.public_id}/rotate").status_code == 422  # not before it is put in place
    assert rows.filter(revoked_at__isnull=True).count() == 6
    assert "同一用途有两个" in visible_text(client.get(base))
    page = client.get(f"{base}keys/").content.decode()
    assert "/rotate" not in page
    assert "keys/new" not in page
    assert sends(client, f"{base}keys/new", name="x", scopes=["orders:read"]).status_code == 422
    for key in list(rows.order_by("pk")[:3]):
        assert sends(client, f"{base}keys/{key.public_id}/revoke").status_code == 302
    assert "同一用途有两个" not in visible_text(client.get(base))


def test_a_live_key_that_writes_is_an_owners_to_make(firm: Company) -> None:
    writes, live = ["orders:read", "orders:write"], f"{firm.at('live')}keys/"
    developer, owner = firm.browser("developer"), firm.browser("owner")
    assert "orders:write" not in developer.get(f"{live}new").content.decode()
    assert sends(developer, f"{live}new", scopes=writes).status_code == 422
    assert sends(developer, f"{firm.at('test')}keys/new", scopes=writes).status_code == 200
    assert sends(owner, f"{live}new", scopes=writes).status_code == 200
    key = ApiKey.objects.get(merchant=firm.shop.live, scopes=writes)
    assert f"{key.public_id}/rotate" not in developer.get(live).content.decode()
    assert sends(developer, f"{live}{key.public_id}/rotate").status_code == 403
    assert ApiKey.objects.filter(merchant=firm.shop.live).count() == 1
    assert sends(developer, f"{live}{key.public_id}/revoke").status_code == 302  # a leak is stopped by whoever sees it


def test_a_live_key_cannot_be_given_the_sandbox(firm: Company) -> None:
    client, base = firm.browser("owner"), firm.at("live")
    assert sends(client, f"{base}keys/new", scopes=["sandbox"]).status_code == 422


def test_an_endpoint_is_added_pinged_changed_and_removed(firm: Company) -> None:
    client, base = firm.browser("developer"), firm.at("test")
    inner = {"url": "http://10.0.0.1/", "event_types": ["*"]}
    assert sends(client, f"{base}webhooks/new", **inner).status_code == 422
    shown = sends(client, f"{base}webhooks/new", url=HOOK, event_types=["order.*"], description="till")
    assert shown.context["secret"].startswith("whsec_")
    hook = WebhookEndpoint.objects.get()
    page = f"{base}webhooks/{hook.public_id}"
    pinged = sends(client, f"{page}/ping")
    assert "接收失败" in visible_text(pinged)  # nobody listens at that port
    assert sends(client, f"{page}/rotate").context["secret"].startswith("whsec_")
    changed = sends(client, f"{page}/change", url=HOOK, event_types=["*"], description="新")
    assert changed.status_code == 302
    hook = WebhookEndpoint.objects.get()
    assert (hook.state, hook.event_types, hook.description) == ("disabled", ["*"], "新")
    assert "已停用" in visible_text(client.get(page))
    sends(client, f"{page}/change", url=HOOK, event_types=["*"], enabled="on")
    assert sends(client, f"{page}/remove").status_code == 302
    assert client.get(page).status_code == 404


def test_events_that_were_missed_are_sent_again(firm: Company) -> None:
    client, base = firm.browser("developer"), firm.at("test")
    make_due_order(firm.shop, make_person(firm.shop), yuan("3"))
    it_is_noon(firm)
    sends(client, f"{base}webhooks/new", url=HOOK, event_types=["order.*"])
    hook = WebhookEndpoint.objects.get()
    told = sends(client, f"{base}webhooks/{hook.public_id}/redeliver", since="7")
    assert told.status_code == 302
    assert WebhookDelivery.objects.filter(endpoint=hook).count() == 2
    event = WebhookDelivery.objects.latest("id").event
    page = client.get(f"{base}events/{event.public_id}")
    assert f"&quot;id&quot;: &quot;{event.public_id}&quot;" in page.content.decode()
    for _ in range(2):
        assert client.post(f"{base}events/{event.public_id}", {"token": form_token(page)}).status_code == 302
    assert Change.objects.filter(verb="event_redelivered").count() == 1
    assert "order.opened" in visible_text(client.get(f"{base}events/", {"type": "order.opened"}))
    assert client.get(f"{base}events/", {"cursor": event.public_id}).status_code == 200
    assert client.get(f"{base}events/", {"cursor": "evt_x"}).status_code == 404


def test_a_whole_life_is_played_in_the_sandbox(firm: Company) -> None:
    client, base = firm.browser("developer"), firm.at("test")
    it_is_noon(firm)
    assert sends(client, f"{base}sandbox/people/new", name="博文", behaviour="no_funds_until").status_code == 422
    made = sends(client, f"{base}sandbox/people/new", name="博文", behaviour="no_funds_until", days="3")
    assert made.status_code == 302
    person = Person.objects.latest("id")
    theirs = f"{base}sandbox/people/{person.public_id}"
    assert sends(client, f"{theirs}/sign", service=firm.shop.service.public_id).status_code == 302
    agreement = person.agreements.get()
    came = sends(client, f"{theirs}/order", agreement=agreement.public_id, title="共享充电宝")
    order = Order.objects.get(agreement=agreement)
    assert came["Location"] == f"{base}orders/{order.public_id}"
    sends(client, f"{base}orders/{order.public_id}/complete", total="6", reason="归还")
    assert client.post(f"{base}sandbox/clock/advance", {"days": "1"}).status_code == 302
    assert state_of(order) == "completed"
    assert client.post(f"{base}sandbox/clock/advance", {"to": "2026-11-27T12:00"}).status_code == 302
    assert state_of(order) == "deducted"
    realm = Realm.objects.get(pk=firm.shop.realm_id)
    assert realm.frozen_at == NOON + timedelta(days=7)
    for wrong in ({}, {"to": "yesterday"}, {"to": "2020-01-01T00:00"}, {"days": "9999"}):
        client.post(f"{base}sandbox/clock/advance", wrong)
    realm.refresh_from_db()
    assert realm.frozen_at == NOON + timedelta(days=7)
    assert client.post(f"{base}sandbox/clock", {"mode": "running"}).status_code == 302
    assert client.post(f"{base}sandbox/clock", {"mode": "sideways"}).status_code == 404
    assert sends(client, theirs, behaviour="partial_balance", amount="3").status_code == 302
    assert "余额只够一部分" in visible_text(client.get(f"{base}sandbox/"))


def test_an_order_that_waits_is_confirmed_as_its_person(firm: Company) -> None:
    client, base = firm.browser("developer"), firm.at("test")
    it_is_noon(firm)
    terms = {
        "name": "云店",
        "mode": "fixed",
        "industry": "online_shop",
        "currency": "CNY",
        "score_min": "0",
        "ceiling": "500",
    }
    sends(client, f"{base}services/new", **terms, confirmation="on")
    person = make_person(firm.shop)
    theirs = f"{base}sandbox/people/{person.public_id}"
    sends(client, f"{theirs}/sign", service=Service.objects.latest("id").public_id)
    wish = {"agreement": person.agreements.get().public_id, "title": "台灯"}
    assert sends(client, f"{theirs}/order", **wish, amount="159").status_code == 302
    order = Order.objects.get()
    assert "台灯" in visible_text(client.get(f"{base}sandbox/"))
    assert sends(client, f"{base}orders/{order.public_id}/confirm").status_code == 302
    assert state_of(order) == "open"


def test_only_a_closed_account_is_shown_as_closed(firm: Company) -> None:
    client, base = firm.browser("developer"), firm.at("test")
    for name in ("博文 🔋", "艾达"):
        assert sends(client, f"{base}sandbox/people/new", name=name, behaviour="pays").status_code == 302
    assert "账户已注销" not in visible_text(client.get(f"{base}sandbox/"))
    Instrument.objects.filter(person=Person.objects.latest("id")).update(state=Instrument.State.DEAD)
    assert visible_text(client.get(f"{base}sandbox/")).count("账户已注销") == 1


def test_amounts_of_the_sandbox_are_in_the_currency_of_what_they_are_about(firm: Company) -> None:
    shop, client, base = firm.shop, firm.browser("developer"), firm.at("test")
    it_is_noon(firm)
    terms = {"name": "雨衣", "mode": "fixed", "ceiling_minor": 500_000, "currency": "JPY"}
    in_yen = replace(shop, service=merchants.offer_service(shop.merchant.id, terms, by=BY, at=NOON))
    person = make_person(shop)
    agreement = make_agreement(in_yen, person)
    theirs = f"{base}sandbox/people/{person.public_id}"
    sent = {"agreement": agreement.public_id, "title": "雨衣"}
    assert sends(client, f"{theirs}/order", **sent, amount="10.50").status_code == 422
    assert sends(client, f"{theirs}/order", **sent, amount="1000").status_code == 302
    assert Order.objects.get().amount_minor == 1000
    for currency, minor in (("JPY", 800), ("CNY", 80_000)):
        sends(client, theirs, behaviour="partial_balance", amount="800", currency=currency)
        assert sandbox_people.scripts_of([person])[0].script.balance_minor == minor


def test_when_a_key_was_used_last_is_seen_and_written_once_an_hour(firm: Company) -> None:
    page = f"{firm.at('test')}keys/"
    assert "尚未使用" in visible_text(firm.browser("developer").get(page))
    with CaptureQueriesContext(connection) as asked:
        for _ in range(3):
            assert Api(firm.shop).get("orders").status_code == 200
    assert sum("UPDATE" in query["sql"] for query in asked) == 1
    key = firm.shop.merchant.api_keys.get()
    assert key.used_at
    firm.shop.merchant.api_keys.update(used_at=key.used_at - timedelta(minutes=61))
    Api(firm.shop).get("orders")
    assert firm.shop.merchant.api_keys.get().used_at >= key.used_at
    assert "尚未使用" not in visible_text(firm.browser("developer").get(page))
