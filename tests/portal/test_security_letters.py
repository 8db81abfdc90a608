"""Merchant staff are emailed about security changes of their account, whoever made them."""

from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.core import mail

from accounts import second_factor
from accounts import services as accounts
from kernel.clock import live_now
from portal.models import Letter
from portal.services import letters
from tests.conftest import BY, NOON
from tests.portal.conftest import PASSWORD, Company, browser_of

NEW = "an entirely other sentence"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _real_mail(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def told() -> list[tuple[str, str]]:
    """To whom what was written, since it was asked last."""
    mail.outbox.clear()
    letters.send_due(at=live_now(), limit=10)
    return [(letter.to[0], str(letter.subject).partition("：")[2]) for letter in mail.outbox]


def test_staff_are_emailed_about_each_security_change(firm: Company) -> None:
    user = firm.staff["owner"].user
    second_factor.activate_app(user.id, generate_totp_secret(), by=BY, at=NOON)
    browser = browser_of(user)
    assert told() == [(user.email, "已添加验证器")]
    browser.post("/merchant/security/codes")
    browser.post(f"/merchant/security/factors/{second_factor.factors_of(user).app.pk}/remove")
    browser.post("/merchant/security/password", {"current": PASSWORD, "password": NEW})
    assert told() == [(user.email, what) for what in ("已更换恢复码", "已移除验证器", "密码已修改")]
    assert "/merchant/security/" in mail.outbox[0].body
    assert told() == []
    second_factor.activate_app(user.id, generate_totp_secret(), by=BY, at=NOON)
    second_factor.remove_all_factors(user.id, by=BY, at=NOON)
    assert (user.email, "客服已关闭两步验证") in told()


def test_the_email_is_in_the_users_language(firm: Company) -> None:
    user = firm.staff["viewer"].user
    accounts.choose_language(user.id, "en", by=BY, at=NOON)
    accounts.change_password(user.id, NEW, by=BY, at=NOON)
    told()
    assert mail.outbox[0].subject == "Your merchant console account: the password was changed"


def test_platform_staff_get_no_email(db: None) -> None:
    lin = accounts.create_staff("lin", PASSWORD, roles=["viewer"], by=BY, at=NOON)
    second_factor.activate_app(lin.id, generate_totp_secret(), by=BY, at=NOON)
    accounts.change_password(lin.id, NEW, by=BY, at=NOON)
    assert not Letter.objects.exists()
