"""A session counts as verified only by what was verified in it, whatever changes in it or in others meanwhile."""

from typing import Any
from uuid import UUID

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client, RequestFactory

from accounts import passkeys, second_factor
from accounts.models import User
from kernel.clock import live_now
from tests.conftest import BY, NOON, make_person
from tests.console.conftest import staff
from tests.portal.conftest import PASSWORD, Company, authenticator_of, browser_of

NEW = "an entirely other sentence"


def requested(browser: Client) -> Any:
    request = RequestFactory().get("/")
    request.session = browser.session
    return request


def shown(browser: Client, user: User) -> bool:
    return second_factor.is_verified_in_session(requested(browser), user)


def test_one_that_is_removed_counts_no_more_where_the_password_was_changed_since_it_was_shown(firm: Company) -> None:
    owner = firm.staff["owner"].user
    authenticator_of(owner)
    app = Authenticator.objects.get(user=owner, type=Authenticator.Type.TOTP)
    second_factor.add_passkey(owner.id, "工位电脑", {}, by=BY, at=NOON)
    here = firm.browser("owner")
    session = here.session
    records = session[AUTHENTICATION_METHODS_SESSION_KEY]
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        record | ({"id": app.pk} if record["method"] == "mfa" else {}) for record in records
    ]
    session.save()
    assert here.post("/merchant/security/password", {"current": PASSWORD, "password": NEW}).status_code == 302
    assert shown(here, owner)
    second_factor.remove_factor(owner.id, app.pk, by=BY, at=live_now())
    assert second_factor.has_second_factor(owner)
    assert not shown(here, owner)


@pytest.mark.parametrize("deed", ["codes", "app", "passkey", "remove"])
@pytest.mark.parametrize("door", ["person", "member", "colleague"])
def test_whoever_only_knows_a_password_gains_nothing_in_the_moment_in_which_the_first_one_is_added(
    door: str, deed: str, firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their page finds them fresh; then it is added elsewhere; then theirs would be done, with new codes to show."""
    user, base = at_door(door, firm)
    thief = browser_of(user, second=False)
    locked, added = User.objects.locked, []

    def locked_a_moment_later(key: UUID) -> User:
        if not added:
            added.append(authenticator_of(user))
        return locked(key)

    monkeypatch.setattr(User.objects, "locked", locked_a_moment_later)
    monkeypatch.setattr(passkeys, "complete_registration", lambda _answer: {})
    monkeypatch.setattr(second_factor, "validate_totp_code", lambda *_code: True)
    key = next_key()
    path, form = paths(base, key)[deed]
    answer = thief.post(path, form)
    assert (answer.status_code, "confirm" in answer["Location"]) == (302, True)
    assert set(Authenticator.objects.filter(user=user).values_list("pk", "type")) <= {(key, "totp")}
    assert not shown(thief, user)


def next_key() -> int:
    """Of what is added next."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM mfa_authenticator_id_seq")
        return int(cursor.fetchone()[0])


def at_door(door: str, firm: Company) -> tuple[User, str]:
    """Whoever comes in there, and where what guards their account stands."""
    if door == "member":
        return firm.staff["owner"].user, "/merchant/security/"
    if door == "colleague":
        return staff("viewer", name="lin"), "/ops/own/"
    person = make_person(firm.shop)
    assert person.user is not None
    return person.user, "/settings/second-factor/"


def paths(base: str, key: int) -> dict[str, tuple[str, dict[str, str]]]:
    app = "second-factor" if "merchant" in base else "app"
    passkey = {"credential": "{}", "name": "x"}
    return {
        "codes": (f"{base}codes", {}),
        "app": (f"{base}{app}", {"code": "000000"}),
        "passkey": (f"{base}passkey", passkey),
        "remove": (f"{base}{'factors/' if 'settings' not in base else ''}{key}/remove", {}),
    }
