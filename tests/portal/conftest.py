"""A business with one member of each role, and the browsers they sit at."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.core.cache import cache
from django.test import Client

from accounts import second_factor
from accounts.models import User
from kernel.actor import Actor
from kernel.clock import live_now
from orders.models import Order
from portal.models import Member
from portal.rules import Role
from portal.services import team
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan
from tests.console.conftest import at_desk, boss, risk
from tests.visiting import signed_in

__all__ = ["at_desk", "boss", "risk"]
PASSWORD = "correct horse battery"
HALF_A_MINUTE = 30


@pytest.fixture(autouse=True)
def _no_limit_used_up() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@dataclass(frozen=True)
class Company:
    """A shop and its staff."""

    shop: Shop
    staff: dict[str, Member]

    def at(self, mode: str) -> str:
        merchant = self.shop.live if mode == "live" else self.shop.merchant
        return f"/merchant/{merchant.public_id}/"

    def browser(self, role: str, *, second: bool = True, fresh: bool = True, language: str = "zh-CN") -> Client:
        """Somebody of this role, signed in; with a second factor shown, and just now."""
        return browser_of(self.staff[role].user, second=second, fresh=fresh, language=language)


def browser_of(user: User, *, second: bool = True, fresh: bool = True, language: str = "zh-CN") -> Client:
    client = signed_in(user, language)
    records = [{"method": "password", "at": live_now().timestamp()}]
    if second:
        if not second_factor.has_one(user):
            app_of(user)
        records.append({"method": "mfa", "type": "totp", "at": live_now().timestamp(), "reauthenticated": fresh})
    elif fresh:
        records.append({"method": "password", "at": live_now().timestamp(), "reauthenticated": True})
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = records
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client


def company(name: str) -> Company:
    shop = make_shop(name)
    founder = team.found_team(shop.live.id, f"owner@{shop.live.id.hex[-8:]}.example", PASSWORD, by=BY, at=NOON)
    staff = {"owner": founder}
    for role in (Role.DEVELOPER, Role.FINANCE, Role.VIEWER):
        staff[role.value] = hire(shop, role, f"{role.value}@{shop.live.id.hex[-8:]}.example")
    return Company(shop, staff)


def hire(shop: Shop, role: Role, email: str) -> Member:
    """Invited, and joined."""
    now = live_now()
    _invitation, token = team.invite(shop.live.id, role.value, email=email, by=BY, at=now)
    newcomer = team.Newcomer(email, PASSWORD)
    return team.accept_invitation(token, newcomer=newcomer, by=Actor.system("test"), at=now)


@pytest.fixture
def firm(db: None) -> Company:
    return company("来电充电宝")


@pytest.fixture
def rival(db: None) -> Company:
    return company("云上小店")


@pytest.fixture
def owed(firm: Company) -> Order:
    """A person owes twelve yuan and 34."""
    return completed(firm.shop, someone(firm.shop), yuan("12.34"))


def app_of(user: User) -> Callable[[], str]:
    """A phone whose app shows the digits of the second factor this user now has, instead of one before it."""
    secret = generate_totp_secret()
    Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).delete()
    TOTP.activate(user, secret)
    return lambda: digits(secret)


def digits(secret: str) -> str:
    """What an app that knows the secret shows now; what counts for less than a second more is waited out."""
    left = HALF_A_MINUTE - live_now().timestamp() % HALF_A_MINUTE
    if left < 1:
        time.sleep(left)
    return str(format_hotp_value(hotp_value(secret, int(live_now().timestamp()) // HALF_A_MINUTE)))


def link_in(text: object) -> str:
    """The way of an invitation's link, as it was mailed or texted."""
    return re.findall(r"/merchant/invitation/\S+", str(text))[-1]
