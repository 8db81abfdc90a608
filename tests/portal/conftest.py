"""A merchant with one member of each role, and their browsers."""

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
from tests.browsing import signed_in_client
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan
from tests.console.conftest import console_client, risk, supervisor

__all__ = ["console_client", "risk", "supervisor"]
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
        """A signed-in member of this role, with a second factor verified just now."""
        return browser_of(self.staff[role].user, second=second, fresh=fresh, language=language)


def browser_of(user: User, *, second: bool = True, fresh: bool = True, language: str = "zh-CN") -> Client:
    client = signed_in_client(user, language)
    records = [{"method": "password", "at": live_now().timestamp()}]
    if second:
        if not second_factor.has_second_factor(user):
            authenticator_of(user)
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
    founder = team.create_team(shop.live.id, f"owner@{shop.live.id.hex[-8:]}.example", PASSWORD, by=BY, at=NOON)
    staff = {"owner": founder}
    for role in (Role.DEVELOPER, Role.FINANCE, Role.VIEWER):
        staff[role.value] = add_member(shop, role, f"{role.value}@{shop.live.id.hex[-8:]}.example")
    return Company(shop, staff)


def add_member(shop: Shop, role: Role, email: str) -> Member:
    """Invite a member and accept the invitation."""
    now = live_now()
    _invitation, token = team.invite(shop.live.id, role.value, email=email, by=BY, at=now)
    newcomer = team.NewAccount(email, PASSWORD)
    return team.accept_invitation(token, new_account=newcomer, by=Actor.system("test"), at=now)


@pytest.fixture
def firm(db: None) -> Company:
    return company("来电充电宝")


@pytest.fixture
def rival(db: None) -> Company:
    return company("云上小店")


@pytest.fixture
def owed(firm: Company) -> Order:
    """An order of ¥12.34 that is due."""
    return make_due_order(firm.shop, make_person(firm.shop), yuan("12.34"))


def authenticator_of(user: User) -> Callable[[], str]:
    """Give the user a new authenticator app; returns a function for its current code."""
    secret = generate_totp_secret()
    Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).delete()
    TOTP.activate(user, secret)
    return lambda: current_code(secret)


def current_code(secret: str) -> str:
    """The secret's current code; waits if it expires within a second."""
    left = HALF_A_MINUTE - live_now().timestamp() % HALF_A_MINUTE
    if left < 1:
        time.sleep(left)
    return str(format_hotp_value(hotp_value(secret, int(live_now().timestamp()) // HALF_A_MINUTE)))


def invitation_link_in(text: object) -> str:
    """The path of the invitation link in an email or text message."""
    return re.findall(r"/merchant/invitation/\S+", str(text))[-1]
