"""Plays a story on a frozen clock that calls every API operation, and records the first successful response of each."""

import json
import re
from hashlib import sha256
from itertools import count
from typing import Any

from kernel.models import Realm
from ledger.closing import close_days
from merchants import services as merchants
from tests.api import Api
from tests.conftest import NOON, Shop
from tests.merchants.receiver import ReceiverServer

HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
#: Told by real clocks and sockets: how long it took, and under which secret.
SECRET, LATENCY = re.compile(r"whsec_[A-Za-z0-9+/=_-]+"), re.compile(r'"latency_ms": ?\d+')
LINK = re.compile(r'/sandbox/sign-in/[^"]*", "expires_at": "[^"]*')
MARK = re.compile(r"(?<=_[0-9a-f]{32}\.)[0-9a-f]{8}")
PHONE = re.compile(r"\+86154\d{8}")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/hooks")


class Recorder(Api):
    """Calls the API, and remembers by operation and status what it said."""

    def __init__(self, shop: Shop, schema: dict[str, Any]) -> None:
        super().__init__(shop)
        self.answers: dict[str, dict[str, Any]] = {}
        self.operations = [
            (method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operation["operationId"])
            for path, methods in schema["paths"].items()
            for method, operation in methods.items()
        ]

    def call(self, method: str, path: str, body: Any = None, **headers: Any) -> Any:
        response = super().call(method, path, body, **headers)
        assert response.status_code < 300, (method, path, response.content)
        address = f"/v1/{path.partition('?')[0]}"
        name = next(name for verb, form, name in self.operations if verb == method.lower() and form.fullmatch(address))
        self.answers.setdefault(name, {}).setdefault(str(response.status_code), response.json())
        return response

    def put(self, path: str, body: Any) -> Any:
        return self.call("PUT", path, body)


def play_story(shop: Shop, schema: dict[str, Any], receiver: ReceiverServer) -> dict[str, Any]:
    """Everything, once. What came back, in words that are the same each time."""
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    api = Recorder(shop, schema)
    service = api.post("services", {"name": "共享充电宝", "mode": "dynamic", "ceiling": 9900}).json()["id"]
    endpoint = _webhooks(api, receiver)
    agreement, person = _agreement(api, service)
    _orders(api, agreement)
    _sandbox(api, service, person)
    _settlements(api, shop)
    _events(api, shop, endpoint)
    for path in ("services", "agreements", "sandbox/people"):
        api.get(path)
    api.get(f"services/{service}")
    api.patch(f"services/{service}", {"ceiling": 12_000})
    api.post(f"agreements/{agreement}/terminate")
    recorded = {"answers": api.answers, "events": _first_events(api)}
    return _normalize(recorded)


def _webhooks(api: Recorder, receiver: ReceiverServer) -> str:
    body = {"url": receiver.url(), "event_types": ["order.*", "deduction.*"], "description": "收银"}
    endpoint = str(api.post("webhook_endpoints", body).json()["id"])
    api.get(f"webhook_endpoints/{endpoint}")
    api.patch(f"webhook_endpoints/{endpoint}", {"description": "收银与对账"})
    api.post(f"webhook_endpoints/{endpoint}/rotate_secret", {"overlap_hours": 24})
    api.post(f"webhook_endpoints/{endpoint}/ping")
    return endpoint


def _agreement(api: Recorder, service: str) -> tuple[str, str]:
    person = api.person(name="艾达")
    body = {"service": service, "person_ref": "customer-17", "return_url": "https://shop.example/back"}
    agreement = str(api.post("agreements", body).json()["id"])
    api.post(f"sandbox/agreements/{agreement}/sign", {"person": person["id"]})
    api.get(f"agreements/{agreement}")
    api.post("eligibility", {"agreement": agreement, "amount": 9900})
    return agreement, person["id"]


def _orders(api: Recorder, agreement: str) -> None:
    numbers = count(1001)

    def open_order() -> str:
        body = {"agreement": agreement, "out_order_no": f"PB-{next(numbers)}", "title": "共享充电宝"}
        details = {
            "starts_at": "2026-11-20T02:00:00Z",
            "start_location": "人民广场站 2 号口",
            "metadata": {"till": "7"},
        }
        return str(api.post("orders", body | details).json()["id"])

    first = open_order()
    api.get(f"orders/{first}")
    items = [{"name": "使用时长", "amount": 800, "count": 4}]
    done = {"items": items, "discounts": [{"name": "会员立减", "amount": 200}], "ends_at": "2026-11-20T04:00:00Z"}
    api.post(f"orders/{first}/complete", done)
    api.post(f"orders/{first}/modify", {"total": 500, "reason": "the cable was broken"})
    api.post(f"orders/{first}/collect")
    api.post(f"orders/{first}/refunds", {"amount": 200, "reason": "the cable was broken", "out_refund_no": "R-1001"})
    api.post(f"orders/{first}/refunds", {"amount": 200, "reason": "the cable was broken", "out_refund_no": "R-1001"})
    api.get(f"orders/{first}/refunds")
    api.get(f"orders/{first}/events")
    api.post(f"orders/{open_order()}/cancel", {"reason": "out of stock"})
    elsewhere = open_order()
    api.post(f"orders/{elsewhere}/complete", {"total": 300})
    api.post(f"orders/{elsewhere}/mark_paid", {"paid_at": "2026-11-20T04:00:00Z", "reference": "till-17"})
    api.get("orders", QUERY_STRING="out_order_no=PB-1001")


def _sandbox(api: Recorder, service: str, person: str) -> None:
    api.get(f"sandbox/people/{person}")
    api.post(f"sandbox/people/{person}/sign_in", {"to": "/orders/"})
    poor = api.person("no_funds", name="小博")
    agreement = api.agreement(service, poor)
    late = api.order(agreement, out_order_no="PB-2001")["id"]
    api.post(f"orders/{late}/complete", {"total": 700})
    asks = api.post("services", {"name": "民宿", "mode": "dynamic", "ceiling": 9900, "confirmation": True}).json()["id"]
    awaiting_confirmation = api.agreement(asks, api.person(name="小陈"))
    yes, no = (api.order(awaiting_confirmation, out_order_no=f"ROOM-{number}")["id"] for number in (1, 2))
    api.post(f"sandbox/orders/{yes}/confirm")
    api.post(f"sandbox/orders/{no}/decline")
    api.order(awaiting_confirmation, out_order_no="ROOM-3")
    api.get("sandbox/clock")
    api.put("sandbox/clock", {"mode": "frozen"})
    api.post("sandbox/clock/advance", {"by": "P5D"})
    api.patch(f"sandbox/people/{poor['id']}", {"behaviour": "pays"})
    api.post(f"sandbox/orders/{late}/pay")
    api.patch(f"sandbox/people/{poor['id']}", {"behaviour": "hard_decline"})
    api.post(f"orders/{late}/refunds", {"amount": 700, "reason": "no longer wanted"})
    api.post(f"sandbox/orders/{late}/take_back", {"code": "not_received"})
    _returns(api, service)
    dispute = api.get("disputes").json()["data"][0]["id"]
    api.get(f"disputes/{dispute}")
    operation = {"statement": "用户本人借出并归还，使用记录见附号。", "tracking_number": "PB-2001"}
    api.post(f"disputes/{dispute}/evidence", operation)
    api.post(f"sandbox/agreements/{agreement}/stop")


def _returns(api: Recorder, service: str) -> None:
    agreement = api.agreement(service, api.person(name="小林"))
    made = []
    for number, way in enumerate(("orders/{}/returns", "sandbox/orders/{}/return")):
        order = api.order(agreement, out_order_no=f"SHOP-{number}", title="保温杯")["id"]
        api.post(f"orders/{order}/complete", {"total": 900})
        api.post(f"orders/{order}/collect")
        parcel = {"carrier": "顺丰速运", "tracking_number": f"SF{number}", "reason": "尺码不合适"}
        made += [api.post(way.format(order), parcel).json()["id"] for _ in range(2)]
    api.get("returns")
    api.get(f"returns/{made[0]}")
    api.post(f"returns/{made[0]}/confirm")
    api.post(f"returns/{made[-1]}/refuse", {"reason": "包裹是空的，有开箱录像"})


def _settlements(api: Recorder, shop: Shop) -> None:
    settlement = api.get("settlements").json()["data"][-1]["id"]
    api.get(f"settlements/{settlement}")
    api.get(f"settlements/{settlement}/lines")
    realm = Realm.objects.get(pk=shop.realm_id)
    assert realm.frozen_at
    close_days(realm.id, at=realm.frozen_at)
    api.get(f"settlements/{settlement}/proof", QUERY_STRING="limit=1")


def _events(api: Recorder, shop: Shop, endpoint: str) -> None:
    realm = Realm.objects.get(pk=shop.realm_id)
    assert realm.frozen_at
    merchants.deliver_due(shop.realm_id, at=realm.frozen_at)
    event = api.get("events").json()["data"][0]["id"]
    api.get(f"events/{event}")
    opened_event = api.get("events", QUERY_STRING="type=order.opened").json()["data"][0]["id"]
    api.post(f"events/{opened_event}/redeliver", {"endpoint": endpoint})
    api.get("webhook_endpoints")
    api.get(f"webhook_endpoints/{endpoint}/deliveries", QUERY_STRING="limit=2")
    api.post(f"webhook_endpoints/{endpoint}/redeliver", {"since": "2026-11-20T00:00:00Z"})
    api.call("DELETE", f"webhook_endpoints/{endpoint}")


def _first_events(api: Api) -> dict[str, Any]:
    """The first event of each type that there was."""
    first: dict[str, Any] = {}
    for event in api.get("events", QUERY_STRING="order=asc&limit=100").json()["data"]:
        first.setdefault(event["type"], event)
    return dict(sorted(first.items()))


def _normalize(recorded: dict[str, Any]) -> dict[str, Any]:
    """Ids by their order of appearance, and nothing of this machine or this moment."""
    names: dict[str, str] = {}
    text = json.dumps(recorded, ensure_ascii=False)
    text = ID.sub(lambda found: names.setdefault(found[0], f"0190b3d2c5a87c1d9e4f{len(names) + 1:012x}"), text)
    text = HASH.sub(lambda found: sha256(names.setdefault(found[0], str(len(names))).encode()).hexdigest(), text)
    text = LINK.sub('/sandbox/sign-in/eyJw…:h7Xk…?next=/orders/", "expires_at": "2026-11-20T04:05:00Z', text)
    text = MARK.sub("9e4f0a1b", text)
    text = PHONE.sub(lambda found: names.setdefault(found[0], f"+86154{len(names) + 1:08}"), text)
    text = SECRET.sub("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", text)
    text = ADDRESS.sub("https://shop.example/hooks", LATENCY.sub('"latency_ms": 42', text))
    return dict(json.loads(text))
