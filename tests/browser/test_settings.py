"""Settings in a real browser: somebody looks where they are signed in, and signs a lost phone out."""

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session

from accounts.models import User
from tests.browser.conftest import PageInspector, Scenario
from tests.browsing import client_for, with_user_agent

PHONE = "Mozilla/5.0 (Linux; Android 14; V2301A) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36 MicroMessenger/8"


def test_a_lost_phone_is_signed_out(inspector: PageInspector, scenario: Scenario) -> None:
    user = User.objects.get(pk=scenario.ada.user_id)
    here, *lost = (with_user_agent(client_for(scenario.ada, inspector.screen[1]), PHONE) for _ in range(3))
    cookie = here.cookies[settings.SESSION_COOKIE_NAME]
    inspector.page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": inspector.base_url}])
    inspector.go("/settings/")
    inspector.check_page("settings")
    inspector.page.locator("li form button").first.click()
    inspector.page.wait_for_selector("[role=status]")
    assert UserSession.objects.filter(user=user).count() == 2
    assert Session.objects.filter(session_key__in=[browser.session.session_key for browser in lost]).count() == 1
    inspector.check_page("settings-signed-out")
