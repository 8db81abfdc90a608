"""How customers reach support: at the foot of their pages, on the help page, and not shown where it is not set."""

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.models import Person
from tests.browsing import client_for, visible_text

pytestmark = pytest.mark.django_db
CONTACT = "400-800-1234，9:00–21:00 <b>"


@pytest.mark.parametrize("path", ["/help/", "/orders/", "/settings/"])
def test_it_is_at_the_foot_of_every_page(ada: Person, settings: LazySettings, path: str) -> None:
    browser = client_for(ada)
    assert "客服：" not in browser.get(path).content.decode()
    settings.SUPPORT_CONTACT = CONTACT
    page = browser.get(path).content.decode()
    assert '客服：<a href="tel:4008001234">400-800-1234</a>，9:00–21:00 &lt;b&gt;' in page


def test_the_help_page_offers_it_for_everything_else(ada: Person, settings: LazySettings) -> None:
    assert "其他" not in visible_text(client_for(ada).get("/help/"))
    settings.SUPPORT_CONTACT = CONTACT
    assert "其他 客服： 400-800-1234" in visible_text(client_for(ada).get("/help/"))
    assert "Something else Customer support: 400-800-1234" in visible_text(client_for(ada, "en").get("/help/"))


def test_visitors_see_it_too(settings: LazySettings) -> None:
    settings.SUPPORT_CONTACT = CONTACT
    assert "400-800-1234" in Client().get("/account/login/").content.decode()
