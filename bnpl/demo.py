"""Demo data: three shops and nine people in typical situations, created by calling the services."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from accounts import services as accounts
from accounts.models import Person, User
from billing.channels import bank_disputes
from billing.channels.bank import Behaviour
from billing.services import callbacks, deduct, instruments, outcome_polling, pay, wallets
from billing.services.instruments import Script
from credit import services as credit
from credit.models import Agreement
from kernel.actor import Actor
from kernel.money import Money
from merchants import services as merchants
from merchants.models import Merchant, Service
from orders import services as orders
from orders.models import Order
from portal.services import team

BY = Actor.system("demo")
POWER_BANK, SHOP, PARCEL = "来电共享充电宝", "云上小店", "飞鸽快递"
SERVICES: dict[str, dict[str, Any]] = {
    POWER_BANK: {
        "name": "充电宝先用后付",
        "description": "扫码取用，归还后按时长扣款",
        "industry": "power_bank",
        "mode": "dynamic",
        "ceiling_minor": 9900,
        "fee_bps": 60,
    },
    SHOP: {
        "name": "先享后付购物",
        "description": "收到货满意再付款",
        "industry": "online_shop",
        "mode": "fixed",
        "ceiling_minor": 100_000,
        "confirmation": True,
        "fee_bps": 80,
    },
    PARCEL: {
        "name": "寄件先寄后付",
        "description": "上门取件，称重后扣款",
        "industry": "parcel_post",
        "mode": "dynamic",
        "ceiling_minor": 20_000,
        "funding": "advance",
        "fee_bps": 100,
        "grace": timedelta(hours=24),
    },
}


@dataclass(slots=True)
class DemoShop:
    """A demo shop: its sandbox and live merchants, its service, and the plain text of its API key and password."""

    sandbox: Merchant
    live: Merchant
    service: Service
    secret: str
    owner: str
    password: str


@dataclass(slots=True)
class Demo:
    """Everything that was created, and the credentials to use it."""

    now: datetime
    shops: dict[str, DemoShop] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)
    staff: list[dict[str, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1001, 10_000)))

    def to_json(self, base_url: str) -> dict[str, Any]:
        """The content of `demo.json`."""
        return {
            "base_url": base_url,
            "merchants": [
                {"name": name, "mode": mode, "secret_key": secret}
                for name, shop in self.shops.items()
                for mode, secret in (("test", shop.secret), ("live", None))
            ],
            "people": [{"name": p.reveal_name(), "phone": p.user.reveal_phone()} for p in self.people if p.user],
            "owners": [
                {"merchant": name, "email": shop.owner, "password": shop.password} for name, shop in self.shops.items()
            ],
            "staff": self.staff,
        }

    def ago(self, **span: float) -> datetime:
        return self.now - timedelta(**span)


def create_demo(now: datetime) -> Demo:
    """Create the shops, the people with the orders of some days up to `now`, and the staff."""
    demo = Demo(now)
    for name, terms in SERVICES.items():
        sandbox, live = merchants.join_merchant(name, contact="客服 400-000-0000", by=BY, at=demo.ago(days=30))
        _key, secret = merchants.issue_key(sandbox.id, name="demo", by=BY, at=demo.ago(days=30))
        services = [merchants.offer_service(m.id, terms, by=BY, at=demo.ago(days=30)) for m in (sandbox, live)]
        owner, password = f"owner-{live.id.hex[-6:]}@example.com", secrets.token_urlsafe(15)
        team.create_team(live.id, owner, password, by=BY, at=now)
        demo.shops[name] = DemoShop(sandbox, live, services[0], secret, owner, password)
    for scene in (_ada, _bo, _chen, _duan, _fang, _gu, _he, _jia, _kang):
        demo.people.append(scene(demo))
    for role in (*accounts.ROLES, "supervisor"):  # two supervisors, for dual approval
        username = role if not User.objects.filter(username=role).exists() else f"{role}-{secrets.token_hex(3)}"
        password = secrets.token_urlsafe(15)
        accounts.create_staff(username, password, roles=[role], by=BY, at=now)
        demo.staff.append({"username": username, "password": password, "role": role})
    return demo


def _ada(demo: Demo) -> Person:
    """艾达 pays at once, and has a power bank with her now."""
    ada, agreement = _create_person(demo, POWER_BANK, "艾达", Script(Behaviour.PAYS))
    for days, total in ((9, 450), (4, 600)):
        _complete_order(demo, POWER_BANK, agreement, "共享充电宝", total=total, at=demo.ago(days=days))
    _place_order(demo, POWER_BANK, agreement, "共享充电宝", demo.ago(minutes=40), start_location="静安寺站 3 号口")
    return ada


def _bo(demo: Demo) -> Person:
    """博文 is short of money for three days from now."""
    bo, agreement = _create_person(
        demo, POWER_BANK, "博文", Script(Behaviour.NO_FUNDS_UNTIL, until=demo.now + timedelta(days=3))
    )
    _complete_order(demo, POWER_BANK, agreement, "共享充电宝", total=1200, at=demo.ago(hours=2))
    return bo


def _chen(demo: Demo) -> Person:
    """陈晨's bank account is closed: no further attempt until there is another instrument."""
    chen, agreement = _create_person(demo, PARCEL, "陈晨", Script(Behaviour.HARD_DECLINE))
    _complete_order(demo, PARCEL, agreement, "寄往杭州 2.4kg", total=1850, at=demo.ago(hours=5))
    return chen


def _duan(demo: Demo) -> Person:
    """段欣 has had no money for days: overdue, with its notices."""
    duan, agreement = _create_person(demo, PARCEL, "段欣", Script(Behaviour.NO_FUNDS))
    _complete_order(demo, PARCEL, agreement, "寄往成都 5.1kg", total=3600, at=demo.ago(days=5))
    for days in (4, 3, 2):
        deduct.deduct_due(agreement.realm_id, at=demo.ago(days=days))
    orders.mark_overdue(agreement.realm_id, at=demo.ago(days=3, hours=20), limit=10)
    return duan


def _fang(demo: Demo) -> Person:
    """方圆's bank response was lost; a query found that the deduction had succeeded."""
    fang, agreement = _create_person(demo, POWER_BANK, "方圆", Script(Behaviour.TIMEOUT_THEN_PAID))
    at = demo.ago(days=1)
    _complete_order(demo, POWER_BANK, agreement, "共享充电宝", total=800, at=at)
    outcome_polling.poll_deductions(agreement.realm_id, at=at + timedelta(hours=1, seconds=10))
    return fang


def _gu(demo: Demo) -> Person:
    """顾言 keeps a little in the wallet and has paid a part of what is owed from it."""
    gu, agreement = _create_person(demo, SHOP, "顾言", Script(Behaviour.NO_FUNDS))
    instruments.open_wallet(gu, at=demo.ago(days=2))
    wallets.top_up(gu.id, Money(5000), f"demo-{gu.id.hex}", at=demo.ago(days=2))
    order = _complete_order(demo, SHOP, agreement, "保温杯", total=9900, at=demo.ago(days=1), amount=9900)
    wallet = gu.instruments.get(channel="wallet")
    pay.pay_now(order.id, amount_minor=3000, instrument_id=wallet.id, by=Actor.person(gu.id), at=demo.ago(hours=6))
    return gu


def _he(demo: Demo) -> Person:
    """何静 has an order waiting for her confirmation; her bank sends each callback three times."""
    he, agreement = _create_person(demo, SHOP, "何静", Script(Behaviour.DUPLICATE_CALLBACK))
    _complete_order(demo, SHOP, agreement, "台灯", total=15_900, at=demo.ago(days=6), amount=15_900)
    callbacks.deliver_realm_callbacks(agreement.realm, real=demo.now)
    _place_order(demo, SHOP, agreement, "蓝牙耳机", demo.ago(minutes=10), amount=29_900)
    return he


def _jia(demo: Demo) -> Person:
    """贾明 cancelled one order, paid one, and stopped new orders while one is still in use."""
    jia, agreement = _create_person(demo, POWER_BANK, "贾明", Script(Behaviour.PAYS))
    cancelled = _place_order(demo, POWER_BANK, agreement, "共享充电宝", demo.ago(days=8))
    orders.cancel_order(cancelled.id, "充电宝故障", by=BY, at=demo.ago(days=8))
    _complete_order(demo, POWER_BANK, agreement, "共享充电宝", total=300, at=demo.ago(days=3))
    _place_order(demo, POWER_BANK, agreement, "共享充电宝", demo.ago(hours=1))
    credit.stop_agreement(agreement.id, by=Actor.person(jia.id), at=demo.ago(minutes=30))
    return jia


def _kang(demo: Demo) -> Person:
    """康宁 disputed one deduction at her bank and reported a problem with another order: both wait for staff."""
    kang, agreement = _create_person(demo, SHOP, "康宁", Script(Behaviour.PAYS))
    lost = _complete_order(demo, SHOP, agreement, "台历", total=3900, at=demo.ago(days=6), amount=3900)
    bank_disputes.reverse_debit(lost.deduction_lines.get().deduction.number, "not_received", at=demo.ago(days=2))
    callbacks.deliver_realm_callbacks(agreement.realm, real=demo.now)
    broken = _complete_order(demo, SHOP, agreement, "陶瓷花瓶", total=8800, at=demo.ago(hours=9), amount=8800)
    by = Actor.person(kang.id)
    orders.report_problem(broken.id, "not_as_agreed", "收到时花瓶口已经碎了。", by=by, at=demo.ago(hours=3))
    return kang


def _create_person(demo: Demo, shop_name: str, name: str, script: Script) -> tuple[Person, Agreement]:
    """A person with a scripted bank account who has signed an agreement for the shop's service."""
    shop, at = demo.shops[shop_name], demo.ago(days=20)
    person = instruments.create_scripted_person(name, script, realm_id=shop.sandbox.realm_id, by=BY, at=at)
    ref = f"customer-{len(demo.people) + 1}"  # the shop's own id of the person
    requested = credit.request_agreement(shop.sandbox.id, shop.service.id, ref, by=BY, at=at)
    signing = credit.sign_agreement(requested.id, person.id, by=Actor.person(person.id), at=at)
    return person, signing.agreement


def _place_order(
    demo: Demo,
    shop_name: str,
    agreement: Agreement,
    title: str,
    at: datetime,
    *,
    confirmed: bool = False,
    **fields: Any,
) -> Order:
    """An order, confirmed by its person if `confirmed` and the shop requires it."""
    shop = demo.shops[shop_name]
    request = orders.OrderRequest(
        agreement_id=agreement.id, out_order_no=f"DEMO-{next(demo.numbers)}", title=title, currency="CNY", **fields
    )
    result = orders.open_order(shop.sandbox.id, request, by=BY, at=at)
    if result.order is not None and confirmed and result.order.state == Order.State.CREATED:
        result = orders.confirm_order(result.order.id, by=BY, at=at)
    if result.order is None:
        raise RuntimeError(f"the demo's order {title} was refused: {result.coarse_reason}")
    return result.order


def _complete_order(
    demo: Demo, shop_name: str, agreement: Agreement, title: str, *, total: int, at: datetime, **fields: Any
) -> Order:
    """An order that is completed and deducted an hour after it was placed."""
    order = _place_order(demo, shop_name, agreement, title, at, confirmed=True, **fields)
    completed_at = at + timedelta(hours=1)
    orders.complete_order(order.id, orders.CompletionRequest(total=total), by=BY, at=completed_at)
    deduct.deduct_due(agreement.realm_id, at=completed_at)
    return order
