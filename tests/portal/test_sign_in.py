"""Sign-in by address, password and second factor; guessing is rate limited."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client

from accounts import services as accounts
from accounts.models import LocalMessage, User
from accounts.refusals import LongPassword
from kernel.clock import live_now
from portal.models import Member
from portal.services import team
from tests.browsing import client_for, form_token, visible_text
from tests.conftest import BY, NOON, make_person
from tests.portal.conftest import PASSWORD, Company, authenticator_of, current_code, invitation_link_in

SIGN_IN, CODE = "/merchant/sign-in/", "/merchant/sign-in/code"


def tries(client: Client, email: str, password: str = PASSWORD, *, to: str = SIGN_IN) -> int:
    return int(client.post(to, {"email": email, "password": password}).status_code)


def inside(client: Client) -> bool:
    return "_auth_user_id" in client.session


def address(firm: Company, role: str = "owner") -> str:
    return firm.staff[role].user.username or ""


def test_address_and_password_lead_in_and_back_to_where_one_was(firm: Company) -> None:
    client, page = Client(), f"{firm.at('test')}orders/"
    asked = client.get(page)["Location"]
    answer = client.post(asked, {"email": f" {address(firm).upper()} ", "password": PASSWORD})
    assert answer["Location"] == page
    assert client.get(page).status_code == 200
    assert client.get("/merchant/")["Location"] == firm.at("test")


def test_who_is_signed_in_and_works_nowhere_finds_the_form(firm: Company) -> None:
    left, customer = firm.browser("viewer"), client_for(make_person(firm.shop))
    team.remove_member(firm.shop.live.id, firm.staff["viewer"].id, by=BY, at=live_now())
    for client in (left, customer):
        assert client.get("/merchant/")["Location"] == SIGN_IN
        assert client.get(SIGN_IN).status_code == 200
        assert tries(client, address(firm)) == 302
        assert client.get(firm.at("test")).status_code == 200
    assert customer.get(SIGN_IN)["Location"] == "/merchant/"


def test_nobody_is_sent_to_another_site(firm: Company) -> None:
    answer = Client().post(f"{SIGN_IN}?next=https://evil.example/", {"email": address(firm), "password": PASSWORD})
    assert answer["Location"] == "/merchant/"


def test_an_unknown_address_a_wrong_password_and_no_business_look_the_same(firm: Company) -> None:
    User.objects.create_user("nobody@example.com", PASSWORD)
    answers = [
        Client(headers={"accept-language": "en"}).post(SIGN_IN, {"email": email, "password": word})
        for email, word in (
            (address(firm), "wrong horse battery"),
            ("unknown@example.com", PASSWORD),
            ("nobody@example.com", PASSWORD),
        )
    ]
    said = {re.sub(r"\S+@\S+", "", visible_text(answer)) for answer in answers}
    assert [answer.status_code for answer in answers] == [422] * 3
    assert len(said) == 1


def test_guessing_ends_soon_for_this_address_and_for_no_other(firm: Company) -> None:
    client = Client()
    found = [tries(client, address(firm), f"guess number {n} of many") for n in range(7)]
    assert found == [422] * 5 + [429] * 2
    assert tries(client, address(firm)) == 429
    assert tries(client, address(firm, "viewer")) == 302


def test_whoever_has_a_second_factor_is_asked_for_it(firm: Company) -> None:
    user, client = firm.staff["owner"].user, Client()
    shows = authenticator_of(user)
    assert client.post(SIGN_IN, {"email": address(firm), "password": PASSWORD})["Location"] == CODE
    assert not inside(client)
    assert client.post(CODE, {"code": "000000"}).status_code == 422
    assert not inside(client)
    code = shows()
    assert client.post(CODE, {"code": code})["Location"] == "/merchant/"
    assert inside(client)
    again = Client()
    tries(again, address(firm))
    assert again.post(CODE, {"code": code}).status_code == 422  # a code is good once
    assert not inside(again)


def test_the_second_step_cannot_be_reached_alone(db: None) -> None:
    assert Client().get(CODE)["Location"] == SIGN_IN
    assert Client().post(CODE, {"code": "000000"})["Location"] == SIGN_IN


def test_a_password_that_was_changed_meanwhile_no_longer_opens_the_second_step(firm: Company) -> None:
    user, early = firm.staff["owner"].user, Client()
    shows = authenticator_of(user)
    tries(early, address(firm))
    accounts.change_password(user.id, "a longer sentence than before", by=BY, at=live_now())
    assert early.post(CODE, {"code": shows()})["Location"] == SIGN_IN
    assert not inside(early)


def test_secrets_of_the_second_factor_are_sealed(firm: Company) -> None:
    user = firm.staff["owner"].user
    authenticator_of(user)
    row = Authenticator.objects.get(user=user)
    assert row.wrap().instance.data["secret"] != ""
    assert not re.fullmatch(r"[A-Z2-7]{32}", row.data["secret"])


def test_a_second_factor_is_set_up_codes_work_once_and_other_sessions_end(firm: Company) -> None:
    client, elsewhere = Client(), Client()
    for each in (client, elsewhere):
        tries(each, address(firm))
    page = client.get("/merchant/security/second-factor")
    assert "data:image/svg+xml" in page.content.decode()
    assert client.post("/merchant/security/second-factor", {"code": "1"}).status_code == 422
    secret = page.context["secret"]
    from_app = client.post("/merchant/security/second-factor", {"code": current_code(secret)})
    codes = list(from_app.context["codes"])
    assert len(codes) == 10
    assert client.post("/merchant/security/elsewhere").status_code == 302
    assert "sign-in" in elsewhere.get(firm.at("test"))["Location"]
    for expected in (302, 422):
        newcomer = Client()
        tries(newcomer, address(firm))
        assert newcomer.post(CODE, {"code": codes[0]}).status_code == expected
    assert "9" in visible_text(client.get("/merchant/security/"))


def test_another_app_is_set_up_only_by_whoever_shows_the_first(firm: Company) -> None:
    client = firm.browser("owner", fresh=False)
    shows = authenticator_of(firm.staff["owner"].user)
    asked = client.get("/merchant/security/second-factor")["Location"]
    assert asked.startswith("/merchant/security/confirm")
    assert client.post(asked, {"code": "000000"}).status_code == 422
    assert client.post(asked, {"code": shows()})["Location"] == "/merchant/security/second-factor"
    assert client.get("/merchant/security/second-factor").status_code == 200


def test_a_screen_that_was_left_open_sets_up_no_app(firm: Company) -> None:
    client, page = firm.browser("owner", second=False, fresh=False), "/merchant/security/second-factor?next=/merchant/"
    for answer in (client.get(page), client.post(page, {"code": "000000"})):
        assert answer["Location"].startswith("/merchant/security/confirm?next=%2Fmerchant%2Fsecurity")
    assert not Authenticator.objects.exists()
    assert client.post(answer["Location"], {"password": PASSWORD})["Location"] == page
    assert client.get(page).status_code == 200


def test_guessing_digits_ends_soon(firm: Company) -> None:
    shows, client = authenticator_of(firm.staff["owner"].user), Client()
    tries(client, address(firm))
    for guess in range(12):
        client.post(CODE, {"code": f"{guess:06}"})
    assert client.post(CODE, {"code": shows()}).status_code == 422
    assert not inside(client)


def test_without_one_the_password_is_asked_again(firm: Company) -> None:
    client, page = firm.browser("developer", second=False, fresh=False), f"{firm.at('test')}keys/new"
    asked = client.get(page)["Location"]
    assert client.post(asked, {"password": "wrong horse battery"}).status_code == 422
    assert client.post(asked, {"password": PASSWORD})["Location"] == page
    assert client.get(page).status_code == 200


def test_a_password_that_no_sign_in_takes_is_not_taken(firm: Company) -> None:
    here, user = firm.browser("viewer"), firm.staff["viewer"].user
    longest = "a sentence of forty letters, said again;" * 5
    sent = here.post("/merchant/security/password", {"current": PASSWORD, "password": longest + "!"})
    assert sent.status_code == 422
    with pytest.raises(LongPassword):
        accounts.change_password(user.id, longest + "!", by=BY, at=NOON)
    assert here.post("/merchant/security/password", {"current": PASSWORD, "password": longest}).status_code == 302
    assert tries(Client(), address(firm, "viewer"), longest) == 302


def test_another_password_ends_every_other_session(firm: Company) -> None:
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        tries(client, address(firm))
    new = "a longer sentence than before"
    wrong = {"current": "wrong horse battery", "password": new}
    assert here.post("/merchant/security/password", wrong).status_code == 422
    assert here.post("/merchant/security/password", {"current": PASSWORD, "password": "short"}).status_code == 422
    assert here.post("/merchant/security/password", {"current": PASSWORD, "password": new}).status_code == 302
    assert here.get(firm.at("test")).status_code == 200
    assert elsewhere.get(firm.at("test")).status_code == 302
    assert (tries(Client(), address(firm)), tries(Client(), address(firm), new)) == (422, 302)


def test_where_the_password_was_changed_is_a_browser_like_any_other(firm: Company) -> None:
    here, phone, new = Client(), Client(), "a longer sentence than before"
    tries(here, address(firm))
    here.post("/merchant/security/password", {"current": PASSWORD, "password": new})
    tries(phone, address(firm), new)
    assert len(phone.get("/merchant/security/").context["sessions"]) == 2
    phone.post("/merchant/security/elsewhere")
    assert phone.get("/merchant/security/").status_code == 200
    assert here.get("/merchant/security/")["Location"] == SIGN_IN


def test_an_invitation_is_mailed_opened_and_joined(firm: Company) -> None:
    owner, page = firm.browser("owner"), f"{firm.at('test')}team/invite"
    wish = {"email": "lin@example.com", "phone": "138 1234 1234", "role": "finance"}
    sent = owner.post(page, {**wish, "token": form_token(owner.get(page))})
    assert sent["Location"] == f"{firm.at('test')}team/"
    (letter,), text = mail.outbox, LocalMessage.objects.get()
    assert (letter.to, text.to) == (["lin@example.com"], "+8613812341234")
    link = invitation_link_in(letter.body)
    assert invitation_link_in(text.text) == link.partition("?")[0]
    assert "/merchant/invitation/" not in owner.get(sent["Location"]).content.decode()
    newcomer = Client()
    assert "来电充电宝" in visible_text(newcomer.get(link))
    weak = newcomer.post(link, {"password": "password"})
    assert weak.status_code == 422
    joined = newcomer.post(link, {"email": "somebody-else@example.com", "password": PASSWORD})
    assert joined["Location"] == firm.at("test")
    assert newcomer.get(firm.at("test")).status_code == 200
    member = Member.objects.latest("id")
    assert (member.user.username, member.role) == ("lin@example.com", "finance")
    assert "已失效" in visible_text(Client().get(link))
    assert Client().get("/merchant/invitation/nonsense").status_code == 404


def test_whoever_has_an_account_joins_signed_in(firm: Company, rival: Company) -> None:
    viewer = firm.staff["viewer"].user
    _made, token = team.invite(rival.shop.live.id, "viewer", email=viewer.username or "", by=BY, at=live_now())
    client = firm.browser("viewer")
    assert client.post(f"/merchant/invitation/{token}").status_code == 302
    assert client.get(rival.at("test")).status_code == 200
    assert client.get(firm.at("test")).status_code == 200


def test_sign_out(firm: Company) -> None:
    client = firm.browser("viewer")
    assert client.get("/merchant/sign-out").status_code == 405
    assert client.post("/merchant/sign-out")["Location"] == SIGN_IN
    assert not inside(client)


@pytest.mark.parametrize("path", ["/merchant/security/", "/merchant/security/confirm", "/merchant/security/password"])
def test_an_account_of_ones_own_is_for_who_is_signed_in(path: str, db: None) -> None:
    assert Client().get(path)["Location"] == SIGN_IN
