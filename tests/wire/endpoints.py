"""A merchant with one of everything, and a valid body for every operation that takes one."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from billing.services.settlements import settle_due
from kernel.clock import live_now
from tests.api import Api, order_body
from tests.conftest import Shop, make_person

#: Nobody listens there, and nobody needs to.
HOOK = "http://127.0.0.1:9/hooks"


@dataclass(frozen=True)
class World:
    """A merchant's sandbox: a person with an agreement, an open order and a completed one."""

    shop: Shop
    api: Api
    person: str
    service: str
    pending: str
    agreement: str
    open: str
    completed: str
    event: str
    endpoint: str
    settlement: str
    dispute: str
    returned: str

    def bodies(self) -> dict[str, dict[str, Any]]:
        """A valid body for each address that is posted to."""
        return {
            "services": {"name": "雨伞", "mode": "dynamic", "ceiling": 9900},
            "agreements": {"service": self.service, "person_ref": "customer-17", "return_url": "https://s.example/b"},
            f"agreements/{self.agreement}/terminate": {},
            "eligibility": {"agreement": self.agreement, "amount": 100, "currency": "CNY"},
            "orders": order_body(
                self.agreement,
                ceiling=500,
                currency="CNY",
                items=[{"name": "每小时", "amount": 200, "count": 2, "description": "前 30 分钟免费"}],
                discounts=[{"name": "新客", "amount": 50}],
                starts_at="2026-11-21T08:00:00Z",
                start_location="上海虹桥站",
                attach="a=1",
                metadata={"till": "7"},
            ),
            f"orders/{self.open}/complete": {"total": 300, "items": [{"name": "每小时", "amount": 300}]},
            f"orders/{self.open}/cancel": {"reason": "坏了"},
            f"orders/{self.completed}/modify": {"total": 100, "reason": "线坏了"},
            f"orders/{self.completed}/mark_paid": {"paid_at": live_now().isoformat(), "reference": "till-17"},
            f"orders/{self.completed}/collect": {},
            f"orders/{self.completed}/refunds": {"amount": 100, "reason": "线坏了", "out_refund_no": "R-1"},
            f"orders/{self.completed}/returns": {
                "carrier": "顺丰速运",
                "tracking_number": "SF-1020304050607",
                "reason": "尺码不合适",
                "amount": 100,
            },
            f"sandbox/orders/{self.completed}/return": {"carrier": "x", "tracking_number": "2", "reason": "x"},
            f"returns/{self.returned}/confirm": {},
            f"returns/{self.returned}/refuse": {"reason": "包裹是空的"},
            f"disputes/{self.dispute}/evidence": {
                "statement": "本人签收",
                "communication": "11 月 20 日已电话确认",
                "carrier": "顺丰速运",
                "tracking_number": "SF-1020304050607",
            },
            f"events/{self.event}/redeliver": {"endpoint": self.endpoint},
            "webhook_endpoints": {"url": HOOK, "event_types": ["order.*"], "description": "收银"},
            f"webhook_endpoints/{self.endpoint}/rotate_secret": {"overlap_hours": 1},
            f"webhook_endpoints/{self.endpoint}/ping": {},
            f"webhook_endpoints/{self.endpoint}/redeliver": {"since": "2026-11-20T08:00:00Z"},
            "sandbox/people": {"name": "艾达", "behaviour": "no_funds_until", "duration": "P3D"},
            f"sandbox/agreements/{self.pending}/sign": {"person": self.person},
            f"sandbox/agreements/{self.agreement}/stop": {},
            f"sandbox/orders/{self.open}/confirm": {},
            f"sandbox/orders/{self.open}/decline": {},
            f"sandbox/orders/{self.completed}/pay": {"amount": 200},
            f"sandbox/orders/{self.completed}/take_back": {"code": "no_funds"},
            "sandbox/clock/advance": {"by": "PT1S"},
        }


def world_of(shop: Shop) -> World:
    api = Api(shop)
    person = make_person(shop, name="小博")
    told = {"id": person.public_id, "ref": person.ref}
    agreement = api.agreement(shop.service.public_id, told)
    pending = api.post("agreements", {"service": shop.service.public_id, "person_ref": f"p-{uuid4().hex}"}).json()
    done = api.order(agreement, ceiling=2_000)
    api.post(f"orders/{done['id']}/complete", {"total": 600})
    going = api.order(agreement, ceiling=1_000)
    endpoint = api.post("webhook_endpoints", {"url": HOOK}).json()["id"]
    paid = api.order(agreement, ceiling=1_000)["id"]
    api.post(f"orders/{paid}/complete", {"total": 500})
    api.post(f"orders/{paid}/collect")
    kept = api.order(agreement, ceiling=1_000)["id"]
    api.post(f"orders/{kept}/complete", {"total": 400})
    api.post(f"orders/{kept}/collect")
    parcel = {"carrier": "x", "tracking_number": "1", "reason": "x"}
    assert api.post(f"orders/{kept}/returns", parcel).status_code == 201
    settle_due(shop.realm_id, at=live_now() + timedelta(days=1))
    assert api.post(f"sandbox/orders/{paid}/take_back", {"code": "not_received"}).status_code == 200
    return World(
        shop=shop,
        api=api,
        person=person.public_id,
        service=shop.service.public_id,
        pending=pending["id"],
        agreement=agreement,
        open=going["id"],
        completed=done["id"],
        event=api.get(f"orders/{done['id']}/events").json()["data"][0]["id"],
        endpoint=endpoint,
        settlement=api.get("settlements").json()["data"][0]["id"],
        returned=api.get("returns").json()["data"][0]["id"],
        dispute=api.get("disputes").json()["data"][0]["id"],
    )
