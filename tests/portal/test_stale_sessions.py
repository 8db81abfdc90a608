"""A session knows no more of a second factor than was shown in it, whatever is done in it afterwards."""

from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from django.test import Client, RequestFactory

from accounts import second_factor
from accounts.models import User
from kernel.clock import live_now
from tests.conftest import BY, NOON
from tests.portal.conftest import PASSWORD, Company, app_of

NEW = "an entirely other sentence"


def shown(browser: Client, user: User) -> bool:
    request = RequestFactory().get("/")
    request.session = browser.session
    return second_factor.shown_in(request, user)


def test_one_that_is_removed_counts_no_more_where_the_password_was_changed_since_it_was_shown(firm: Company) -> None:
    owner = firm.staff["owner"].user
    app_of(owner)
    app = Authenticator.objects.get(user=owner, type=Authenticator.Type.TOTP)
    second_factor.take_passkey(owner.id, "工位电脑", {}, by=BY, at=NOON)
    here = firm.browser("owner")
    session = here.session
    records = session[AUTHENTICATION_METHODS_SESSION_KEY]
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        record | ({"id": app.pk} if record["method"] == "mfa" else {}) for record in records
    ]
    session.save()
    assert here.post("/merchant/security/password", {"current": PASSWORD, "password": NEW}).status_code == 302
    assert shown(here, owner)
    second_factor.remove(owner.id, app.pk, by=BY, at=live_now())
    assert second_factor.has_one(owner)
    assert not shown(here, owner)
