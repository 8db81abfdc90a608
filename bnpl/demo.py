"""Demo data: three shops and eight people whose situations tell the story. Made by services only, as in life."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from accounts import services as accounts
from accounts.models import Person, User
from billing.channels import bank_returns
from billing.channels.bank import Behaviour
from billing.services import ask, callbacks, deduct, instruments, pay, wallets
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
SHOPS: dict[str, dict[str, Any]] = {
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
class Stall:
    """One demo shop: its sandbox, its live twin, its service and the one time its key is known."""

    sandbox: Merchant
    live: Merchant
    service: Service
    secret: str
    owner: str
    password: str


@dataclass(slots=True)
class Demo:
    """Everything that was made, and the little that must be told."""

    now: datetime
    stalls: dict[str, Stall] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)
    staff: list[dict[str, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1001, 10_000)))

    def told(self, base_url: str) -> dict[str, Any]:
        """What `demo.json` says."""
        return {
            "base_url": base_url,
            "merchants": [
                {"name": name, "mode": mode, "secret_key": secret}
                for name, stall in self.stalls.items()
                for mode, secret in (("test", stall.secret), ("live", None))
            ],
            "people": [{"name": p.reveal_name(), "phone": p.user.reveal_phone()} for p in self.people if p.user],
            "owners": [
                {"merchant": name, "email": stall.owner, "password": stall.password}
                for name, stall in self.stalls.items()
            ],
            "staff": self.staff,
        }

    def ago(self, **span: float) -> datetime:
        return self.now - timedelta(**span)


def play(now: datetime) -> Demo:
    """Open the shops, let the people live a few days up to `now`, and hire the staff."""
    demo = Demo(now)
    for name, terms in SHOPS.items():
        sandbox, live = merchants.join_merchant(name, contact="客服 400-000-0000", by=BY, at=demo.ago(days=30))
        _key, secret = merchants.issue_key(sandbox.id, name="demo", by=BY, at=demo.ago(days=30))
        services = [merchants.offer_service(m.id, terms, by=BY, at=demo.ago(days=30)) for m in (sandbox, live)]
        owner, password = f"owner-{live.id.hex[-6:]}@example.com", secrets.token_urlsafe(15)
        team.found_team(live.id, owner, password, by=BY, at=now)
        demo.stalls[name] = Stall(sandbox, live, services[0], secret, owner, password)
    for scene in (_ada, _bo, _chen, _duan, _fang, _gu, _he, _jia, _kang):
        demo.people.append(scene(demo))
    for role in (*accounts.ROLES, "supervisor"):  # what takes two takes two of them
        username = role if not User.objects.filter(username=role).exists() else f"{role}-{secrets.token_hex(3)}"
        password = secrets.token_urlsafe(15)
        accounts.create_staff(username, password, roles=[role], by=BY, at=now)
        demo.staff.append({"username": username, "password": password, "role": role})
    return demo


def _ada(demo: Demo) -> Person:
    """艾达 pays at once, and has a power bank with her now."""
    ada, opened = _person(demo, POWER_BANK, "艾达", Script(Behaviour.PAYS))
    for days, total in ((9, 450), (4, 600)):
        _used(demo, POWER_BANK, opened, "共享充电宝", total=total, at=demo.ago(days=days))
    _ordered(demo, POWER_BANK, opened, "共享充电宝", demo.ago(minutes=40), start_location="静安寺站 3 号口")
    return ada


def _bo(demo: Demo) -> Person:
    """博文 is short of money for three days from now."""
    bo, opened = _person(demo, POWER_BANK, "博文", Script(Behaviour.NO_FUNDS_UNTIL, until=demo.now + timedelta(days=3)))
    _used(demo, POWER_BANK, opened, "共享充电宝", total=1200, at=demo.ago(hours=2))
    return bo


def _chen(demo: Demo) -> Person:
    """陈晨's bank account is closed: nothing more is tried until another instrument is there."""
    chen, opened = _person(demo, PARCEL, "陈晨", Script(Behaviour.HARD_DECLINE))
    _used(demo, PARCEL, opened, "寄往杭州 2.4kg", total=1850, at=demo.ago(hours=5))
    return chen


def _duan(demo: Demo) -> Person:
    """段欣 has had no money for days: overdue, and told so."""
    duan, opened = _person(demo, PARCEL, "段欣", Script(Behaviour.NO_FUNDS))
    _used(demo, PARCEL, opened, "寄往成都 5.1kg", total=3600, at=demo.ago(days=5))
    for days in (4, 3, 2):
        deduct.deduct_due(opened.realm_id, at=demo.ago(days=days))
    orders.mark_overdue(opened.realm_id, at=demo.ago(days=3, hours=20), limit=10)
    return duan


def _fang(demo: Demo) -> Person:
    """方圆's first answer from the bank was lost; asking found that the money had been taken."""
    fang, opened = _person(demo, POWER_BANK, "方圆", Script(Behaviour.TIMEOUT_THEN_PAID))
    at = demo.ago(days=1)
    _used(demo, POWER_BANK, opened, "共享充电宝", total=800, at=at)
    ask.ask_unknown(opened.realm_id, at=at + timedelta(hours=1, seconds=10))
    return fang


def _gu(demo: Demo) -> Person:
    """顾言 keeps a little in the wallet and has paid a part of what is owed from it."""
    gu, opened = _person(demo, SHOP, "顾言", Script(Behaviour.NO_FUNDS))
    instruments.open_wallet(gu, at=demo.ago(days=2))
    wallets.top_up(gu.id, Money(5000), f"demo-{gu.id.hex}", at=demo.ago(days=2))
    order = _used(demo, SHOP, opened, "保温杯", total=9900, at=demo.ago(days=1), amount=9900)
    wallet = gu.instruments.get(channel="wallet")
    pay.pay_now(order.id, amount_minor=3000, instrument_id=wallet.id, by=Actor.person(gu.id), at=demo.ago(hours=6))
    return gu


def _he(demo: Demo) -> Person:
    """何静 has an order waiting for her confirmation; the bank says everything to her three times over."""
    he, opened = _person(demo, SHOP, "何静", Script(Behaviour.DUPLICATE_CALLBACK))
    _used(demo, SHOP, opened, "台灯", total=15_900, at=demo.ago(days=6), amount=15_900)
    callbacks.deliver_sandbox_callbacks(opened.realm, real=demo.now)
    _ordered(demo, SHOP, opened, "蓝牙耳机", demo.ago(minutes=10), amount=29_900)
    return he


def _jia(demo: Demo) -> Person:
    """贾明 cancelled once, kept one promise, and takes no new orders while one is still going."""
    jia, opened = _person(demo, POWER_BANK, "贾明", Script(Behaviour.PAYS))
    called_off = _ordered(demo, POWER_BANK, opened, "共享充电宝", demo.ago(days=8))
    orders.cancel_order(called_off.id, "充电宝故障", by=BY, at=demo.ago(days=8))
    _used(demo, POWER_BANK, opened, "共享充电宝", total=300, at=demo.ago(days=3))
    _ordered(demo, POWER_BANK, opened, "共享充电宝", demo.ago(hours=1))
    credit.stop_agreement(opened.id, by=Actor.person(jia.id), at=demo.ago(minutes=30))
    return jia


def _kang(demo: Demo) -> Person:
    """康宁 has told her bank that one parcel never came, and us that another came broken: both wait for colleagues."""
    kang, opened = _person(demo, SHOP, "康宁", Script(Behaviour.PAYS))
    lost = _used(demo, SHOP, opened, "台历", total=3900, at=demo.ago(days=6), amount=3900)
    bank_returns.take_back(lost.deduction_lines.get().deduction.number, "not_received", at=demo.ago(days=2))
    callbacks.deliver_sandbox_callbacks(opened.realm, real=demo.now)
    broken = _used(demo, SHOP, opened, "陶瓷花瓶", total=8800, at=demo.ago(hours=9), amount=8800)
    by = Actor.person(kang.id)
    orders.report_problem(broken.id, "not_as_agreed", "收到时花瓶口已经碎了。", by=by, at=demo.ago(hours=3))
    return kang


def _person(demo: Demo, shop: str, name: str, script: Script) -> tuple[Person, Agreement]:
    """Somebody with a scripted bank account who has opened the shop's service."""
    stall, at = demo.stalls[shop], demo.ago(days=20)
    person = instruments.script_person(name, script, realm_id=stall.sandbox.realm_id, by=BY, at=at)
    ref = f"customer-{len(demo.people) + 1}"  # how the shop itself knows them
    asked = credit.request_agreement(stall.sandbox.id, stall.service.id, ref, by=BY, at=at)
    signing = credit.sign_agreement(asked.id, person.id, by=Actor.person(person.id), at=at)
    return person, signing.agreement


def _ordered(
    demo: Demo, shop: str, opened: Agreement, title: str, at: datetime, *, confirmed: bool = False, **wish: Any
) -> Order:
    """An order, confirmed by its person where the shop wants that and the scene says so."""
    stall = demo.stalls[shop]
    asked = orders.Wish(
        agreement_id=opened.id, out_order_no=f"DEMO-{next(demo.numbers)}", title=title, currency="CNY", **wish
    )
    opening = orders.open_order(stall.sandbox.id, asked, by=BY, at=at)
    if opening.order is not None and confirmed and opening.order.state == Order.State.CREATED:
        opening = orders.confirm_order(opening.order.id, by=BY, at=at)
    if opening.order is None:
        raise RuntimeError(f"the demo's order {title} was refused: {opening.coarse_reason}")
    return opening.order


def _used(demo: Demo, shop: str, opened: Agreement, title: str, *, total: int, at: datetime, **wish: Any) -> Order:
    """An order from opening to its first deduction, an hour later."""
    order = _ordered(demo, shop, opened, title, at, confirmed=True, **wish)
    later = at + timedelta(hours=1)
    orders.complete_order(order.id, orders.Final(total=total), by=BY, at=later)
    deduct.deduct_due(opened.realm_id, at=later)
    return order
