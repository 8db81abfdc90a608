"""Ids of everything that a merchant console page can be about, for one merchant in one mode."""

from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse

from billing.channels import bank_disputes
from billing.models import Deduction, Dispute, Invoice, Settlement
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.invoices import issue_due_invoices
from billing.services.payout_accounts import AccountDetails, request_payout_account
from billing.services.returns import Parcel, open_return
from billing.services.settlements import settle_due
from bnpl.urls import MERCHANT_CONSOLE_URLS
from kernel.clock import live_now
from kernel.models import Realm
from merchants import services as merchants
from merchants.models import Event, Merchant
from orders import services as orders
from portal.services import team
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person
from tests.portal.conftest import Company

HOOK = "http://127.0.0.1:9/hook"
NONE = "0" * 32
PREFIXES = {
    "order": "ord",
    "dispute": "dsp",
    "returned": "ret",
    "service": "svc",
    "key": "key",
    "endpoint": "whe",
    "event": "evt",
    "person": "per",
    "invitation": "inv",
    "member": "mem",
    "settlement": "stl",
    "invoice": "ivc",
    "account": "pac",
    "name": "figures",
}


@dataclass(frozen=True)
class PageFixtures:
    """Ids of one merchant's objects, by URL argument."""

    merchant: Merchant
    ids: dict[str, str]

    def url(self, page: str, *, ids: dict[str, str] | None = None) -> str:
        """The page's URL for these objects."""
        route = next(str(row.pattern) for row in MERCHANT_CONSOLE_URLS if row.name == f"merchant_{page}")
        named = {name: (ids or self.ids)[name] for name in PREFIXES if f":{name}>" in route}
        return reverse(f"merchant_{page}", kwargs={"merchant": self.merchant.public_id, **named})


def missing_ids() -> dict[str, str]:
    """Well-formed ids of nothing."""
    return {name: f"{prefix}_{NONE}" for name, prefix in PREFIXES.items()}


def page_fixtures_of(firm: Company, mode: str) -> PageFixtures:
    """Fixtures of a merchant; in live mode there are no orders here, so their ids name nothing."""
    shop = firm.shop
    merchant = shop.live if mode == "live" else shop.merchant
    at = NOON
    key, _secret = merchants.issue_key(merchant.id, name="till", by=BY, at=at)
    service = merchants.offer_service(
        merchant.id, {"name": "雨伞", "mode": "dynamic", "ceiling_minor": 900}, by=BY, at=at
    )
    hook, _secret = merchants.add_endpoint(merchant.id, HOOK, by=BY, at=at)
    invitation, _token = team.invite(
        shop.live.id, "viewer", email=f"{mode}@example.com", by=BY, at=live_now() - timedelta(days=1)
    )
    ids = missing_ids() | {
        "key": key.public_id,
        "service": service.public_id,
        "endpoint": hook.public_id,
        "invitation": invitation.public_id,
        "member": firm.staff["viewer"].public_id,
        "name": "orders",
    }
    account = AccountDetails(holder="来电科技", bank="招商银行", number="6222021234567890")
    asked = request_payout_account(merchant.id, account, by=BY, at=at)
    ids["account"] = asked.public_id
    if mode == "test":
        ids |= _sandbox_ids(shop)
    return PageFixtures(merchant, ids)


def _sandbox_ids(shop: Shop) -> dict[str, str]:
    person = make_person(shop)
    order = make_order(shop, make_agreement(shop, person))
    orders.complete_order(order.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    event = Event.objects.filter(merchant=shop.merchant, type="order.completed").get()
    deduct_due(shop.realm_id, at=NOON)
    settle_due(shop.realm_id, at=NOON + timedelta(days=1))
    settlement = Settlement.objects.get(merchant=shop.merchant).public_id
    for act in (settle_due, issue_due_invoices):
        act(shop.realm_id, at=NOON + timedelta(days=20))
    assert bank_disputes.reverse_debit(Deduction.objects.get(person=person).number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    disputed = Dispute.objects.get(person=person).public_id
    sent = make_order(shop, make_agreement(shop, make_person(shop)))
    orders.complete_order(sent.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    returned, _fresh = open_return(sent.id, Parcel(carrier="x", tracking_number="1", reason="x"), by=BY, at=NOON)
    found = {
        "returned": returned.public_id,
        "dispute": disputed,
        "settlement": settlement,
        "invoice": Invoice.objects.get(merchant=shop.merchant).public_id,
    }
    return found | {"order": order.public_id, "person": person.public_id, "event": event.public_id}
