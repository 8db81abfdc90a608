"""Passkeys of merchant staff: add, sign in, remove."""

from allauth.mfa.models import Authenticator
from django.test import Client

from tests.browsing import visible_text
from tests.passkey import Passkey
from tests.portal.conftest import PASSWORD, Company, authenticator_of
from tests.unchanged import assert_unchanged

SIGN_IN, CODE, NEW = "/merchant/sign-in/", "/merchant/sign-in/code", "/merchant/security/passkey"
SEEN = ("django_session", "usersessions_usersession")


def half_in(firm: Company, role: str = "owner") -> Client:
    client = Client(headers={"accept-language": "zh-CN"})
    given = {"email": firm.staff[role].user.username, "password": PASSWORD}
    assert client.post(SIGN_IN, given)["Location"] == CODE
    return client


def with_passkey(client: Client) -> tuple[Passkey, list[str]]:
    passkey = Passkey()
    answer = client.post(NEW, {"credential": passkey.made(client.get(NEW).context["options"]), "name": "工位电脑"})
    return passkey, list(answer.context["codes"])


def test_a_passkey_is_made_and_asked_for_at_the_door(firm: Company) -> None:
    owner = firm.browser("owner", second=False)
    passkey, codes = with_passkey(owner)
    assert len(codes) == 10
    assert "工位电脑" in visible_text(owner.get("/merchant/security/"))

    client = half_in(firm)
    page = client.get(CODE)
    assert "passkey.js" in page.content.decode()
    assert "使用通行密钥" in visible_text(page)
    with assert_unchanged(*SEEN):
        stranger = Passkey()
        for answer in (stranger.shown(page.context["options"]), "{}", "", passkey.shown(page.context["options"])):
            wrong = client.post(CODE, {"credential": answer})  # the last one answers a challenge that is used up
            assert (
                wrong.status_code,
                "无法识别此通行密钥" in visible_text(wrong) or "通行密钥" in visible_text(wrong),
            ) == (
                422,
                True,
            )
        assert client.get(firm.at("test"))["Location"].startswith(SIGN_IN)
    options = client.get(CODE).context["options"]
    assert client.post(CODE, {"credential": passkey.shown(options)})["Location"] == "/merchant/"
    assert client.get(firm.at("live")).status_code == 200


def test_who_has_only_a_passkey_is_let_in_by_a_code_for_emergencies_once(firm: Company) -> None:
    _passkey, codes = with_passkey(firm.browser("owner", second=False))
    for expected in (302, 422):
        client = half_in(firm)
        assert "恢复码之一" in visible_text(client.get(CODE))
        assert client.post(CODE, {"code": codes[0]}).status_code == expected


def test_a_screen_that_was_left_open_makes_and_removes_none(firm: Company) -> None:
    passkey, _codes = with_passkey(firm.browser("owner", second=False))
    row = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    client, remove = firm.browser("owner", fresh=False), f"/merchant/security/factors/{row.pk}/remove"
    with assert_unchanged(*SEEN):
        asked = client.get(NEW)["Location"]
        assert client.post(NEW, {"credential": "{}"})["Location"].startswith("/merchant/security/confirm")
        assert client.post(remove)["Location"].startswith("/merchant/security/confirm")
        assert client.get(remove).status_code == 405
    options = client.get(asked).context["options"]
    assert client.post(asked, {"credential": passkey.shown(options)})["Location"] == NEW
    assert client.post(remove)["Location"] == "/merchant/security/"
    assert not Authenticator.objects.exists(), "the codes for emergencies go with the last of them"


def test_anothers_factor_is_none(firm: Company) -> None:
    authenticator_of(firm.staff["viewer"].user)
    row, owner = Authenticator.objects.get(), firm.browser("owner")
    with assert_unchanged(*SEEN):
        for key in (row.pk, 999_999):
            assert owner.post(f"/merchant/security/factors/{key}/remove").status_code == 404
        assert Client().get(NEW)["Location"] == SIGN_IN
