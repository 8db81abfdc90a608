"""A real browser on the real server: whoever looks at a page here also listens for what it should not do."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib import request
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts import services as accounts
from accounts.models import Person
from billing.services.deduct import deduct_due
from credit import services as credit
from credit.models import Agreement
from merchants import services as merchants
from merchants.models import Merchant, Service
from orders import services as orders
from orders.models import Order
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person

# Playwright keeps an event loop in this thread; what is asked of the database here is asked between its calls.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
SCREENSHOTS = Path(__file__).resolve().parent.parent.parent / "tmp" / "screenshots"
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
#: What a finger must hit is 44 px high.
SMALL_TARGETS_JS = """
    [...document.querySelectorAll(
        "main a.button, main button, main select, main summary, nav a, \
input:not([type=radio], [type=checkbox], [type=hidden])")]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 43.9).map(e => e.outerHTML)
"""
SCREENS = [
    pytest.param((375, "zh-CN", "light"), id="phone-zh-light"),
    pytest.param((1280, "en", "dark"), id="desk-en-dark"),
    pytest.param((375, "en", "light"), id="phone-en-light"),
    pytest.param((1280, "zh-CN", "dark"), id="desk-zh-dark"),
]
#: Each way is walked in one of them, the next way in the next; the other width and scheme are glanced at on every page
#: of it. `make evidence-browser` walks each in all.
ALL_SCREENS = os.environ.get("BROWSER_LOOKS") == "all"
#: Whether what is seen is kept to be looked at, in tmp/screenshots: half of a look's time.
SAVE_SCREENSHOTS = ALL_SCREENS or bool(os.environ.get("BROWSER_PICTURES"))
_screens = cycle(SCREENS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def take_screenshot(page: Page, name: str) -> None:
    """The whole page as it is, to be looked at, if pictures are kept."""
    if SAVE_SCREENSHOTS:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@dataclass
class PageInspector:
    """A page somebody looks at, and everything wrong that was noticed on the way."""

    page: Page
    base_url: str
    screen: tuple[int, str, str]
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        self.page.on("request", self._on_request)

    def go(self, path: str) -> None:
        self.page.goto(self.base_url + path)

    def sign_in_staff(self, role: str) -> None:
        """A colleague of this role, called lin, signs in at the console."""
        accounts.create_staff("lin", "correct horse battery", roles=[role], by=BY, at=NOON)
        self.go("/ops/")
        self.page.locator("[name=username]").fill("lin")
        self.page.locator("[name=password]").fill("correct horse battery")
        self.page.locator("#login-form [type=submit]").click()
        self.page.wait_for_url("**/ops/")

    def check_page(self, name: str, *, expected: int = 0) -> None:
        """Judge what is on the screen now. An `expected` status is no fault."""
        width, language, scheme = self.screen
        self.wait_loaded()
        assert "<" not in self.page.title(), f"{name}: a title shows marks: {self.page.title()}"
        self._check_layout(name, *self.screen)
        self.check_accessibility(name)
        self._set_screen(width == 375, scheme == "light")
        self._check_layout(name, 1655 - width, language, "dark" if scheme == "light" else "light")
        self._set_screen(width != 375, scheme != "light")
        assert [line for line in self.problems if not (expected and f"status of {expected}" in line)] == []
        self.problems.clear()

    def wait_loaded(self) -> None:
        """The page is here whole: a click returns when its answer begins, and half a page cannot be judged."""
        self.page.wait_for_load_state()

    def check_accessibility(self, name: str, of: str | None = None) -> None:
        """Axe finds nothing on the page, or in those parts of it."""
        found = Axe().run(self.page, context=of)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"

    def _set_screen(self, wide: bool, dark: bool) -> None:  # noqa: FBT001  as a screen is
        """The same page on another screen."""
        self.page.set_viewport_size({"width": 1280 if wide else 375, "height": 812})
        self.page.emulate_media(color_scheme="dark" if dark else "light")

    def _check_layout(self, name: str, width: int, language: str, scheme: str) -> None:
        """The screen as it is holds the page, and nothing on it is too small for a finger."""
        take_screenshot(self.page, f"{name}-{width}-{language}-{scheme}")
        too_wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, f"{name} is {too_wide} px wider than a screen of {width}"
        small = self.page.evaluate(SMALL_TARGETS_JS)
        assert not small, f"{name}: too small for a finger: {small}"

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.base_url).netloc:
            self.problems.append(f"outside: {request.url}")


@dataclass(frozen=True)
class Scenario:
    """Ada with one order of each kind, and what a merchant asks of her."""

    ada: Person
    bank: Shop
    to_pay: Order
    overdue: Order
    waiting: Order
    requested: Agreement
    too_high: Agreement


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def inspector_on(chromium: Browser, live_server: LiveServer) -> Iterator[Callable[..., PageInspector]]:
    """A fresh browser of this width, language and colour scheme."""
    contexts: list[BrowserContext] = []

    def make(look: tuple[int, str, str]) -> PageInspector:
        width, language, scheme = look
        context = chromium.new_context(
            viewport={"width": width, "height": 812},
            locale=language,
            color_scheme="dark" if scheme == "dark" else "light",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        return PageInspector(context.new_page(), live_server.url, look)

    yield make
    for context in contexts:
        context.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "inspector" in metafunc.fixturenames:
        metafunc.parametrize("inspector", SCREENS if ALL_SCREENS else [next(_screens)], indirect=True)


@pytest.fixture
def inspector(request: pytest.FixtureRequest, inspector_on: Callable[..., PageInspector]) -> PageInspector:
    return inspector_on(request.param)


@pytest.fixture
def scenario(transactional_db: None) -> Scenario:
    """A bank account without money, one order too late and one in time; all of it at noon of the same day."""
    sandbox, live = merchants.join_merchant("来电充电宝", contact="客服 400-800-1234", by=BY, at=NOON)
    bank = Shop(sandbox, live, "", offer_service(sandbox, "共享充电宝", mode="dynamic", ceiling_minor=9900))
    shop = Shop(
        sandbox, live, "", offer_service(sandbox, "来电商城", mode="fixed", ceiling_minor=500_00, confirmation=True)
    )
    ada = make_person(bank, "no_funds")
    agreement = make_agreement(bank, ada)
    late = NOON - timedelta(days=5)

    def used(title: str, total: int, at: datetime) -> Order:
        order = make_order(bank, agreement, title=title, at=at, start_location="人民广场站 2 号口", end_location="外滩")
        items = [{"name": "使用时长", "amount": total + 100, "count": 3, "description": "每小时计费"}]
        final = orders.CompletionRequest(items=items, discounts=[{"name": "会员立减", "amount": 100}])
        return orders.complete_order(order.id, final, by=BY, at=at)

    overdue = used("充电宝租借", 600, late)
    used("充电宝租借 · 免单", 0, late)
    to_pay = used("充电宝租借 · 从人民广场到外滩，借还于不同网点的一次比较长的行程", 1234, NOON - timedelta(days=1))
    orders.cancel_order(make_order(bank, agreement, title="借错了").id, "设备故障", by=BY, at=NOON)
    make_order(bank, agreement, title="正在使用的充电宝")
    agreed = make_agreement(shop, ada).id
    wish = orders.OrderRequest(
        agreement_id=agreed, out_order_no="SHOP-1", title="数据线与保护套", currency="CNY", amount=4990
    )
    waiting = orders.open_order(sandbox.id, wish, by=BY, at=NOON).order
    assert waiting
    deduct_due(bank.realm_id, at=NOON - timedelta(hours=1))
    orders.mark_overdue(bank.realm_id, at=NOON, limit=10)
    freeze_clock(NOON, ada)
    parcel = offer_service(
        sandbox, "寄快递", mode="dynamic", ceiling_minor=200_00, late_fee_daily_bps=5, late_fee_cap_bps=1000
    )
    car = offer_service(sandbox, "共享汽车", mode="dynamic", ceiling_minor=5000_00, score_min=900)
    back = "https://shop.example/opened?cart=7"
    asked, too_high = (
        credit.request_agreement(sandbox.id, service.id, "u-1", return_url=back, by=BY, at=NOON)
        for service in (parcel, car)
    )
    return Scenario(ada, bank, to_pay, overdue, waiting, asked, too_high)


def offer_service(merchant: Merchant, name: str, **terms: Any) -> Service:
    return merchants.offer_service(merchant.id, {"name": name, "currency": "CNY", **terms}, by=BY, at=NOON)


def phone_of(person: Person) -> str:
    assert person.user
    return person.user.reveal_phone() or ""


def sign_in(inspector: PageInspector, person: Person) -> None:
    """By the code of a text, as everybody does; whoever was sent to sign in is sent back."""
    inspector.page.locator("#main input[type=tel]").fill(phone_of(person))
    inspector.page.locator("#main button[type=submit]").first.click()
    inspector.page.locator("#main input[name=code]").fill(code_for(inspector, phone_of(person)))
    inspector.page.locator("#main button[type=submit]").first.click()
    inspector.page.wait_for_url(lambda url: "/account/" not in url)


def code_for(inspector: PageInspector, phone: str) -> str:
    """The code of the newest text to this phone, asked for on a line of its own."""
    asked = request.Request(f"{inspector.base_url}/dev/messages", headers={"accept": "application/json"})  # noqa: S310  our own
    with request.urlopen(asked, timeout=20) as answer:  # noqa: S310  the same
        told = json.load(answer)["data"]
    text = next(message["text"] for message in told if message["to"] == phone)
    found = re.search(r"\b[0-9]{6}\b", text)
    assert found
    return found[0]
