"""Verification of an invitee's address, and limits on invitations."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client

from accounts.models import LocalMessage, User
from kernel.clock import live_now
from portal import rules
from portal.models import Letter, Member
from portal.services import invitation_messages, team
from tests.browsing import visible_text
from tests.conftest import BY, NOON
from tests.portal.conftest import PASSWORD, Company, invitation_link_in

ADDRESS = "boss@competitor.example"
pytestmark = pytest.mark.django_db


def texted(firm: Company) -> str:
    """The link of an invitation that was texted."""
    made, token = team.invite(firm.shop.live.id, "viewer", phone="13812341234", by=BY, at=live_now())
    assert invitation_messages.send_invitation(made, "来电充电宝", token, phone="13812341234", language="zh-hans")
    return invitation_link_in(LocalMessage.objects.latest("id").text)


def test_an_address_is_nobodys_before_they_open_a_mail_that_went_there(firm: Company) -> None:
    link, somebody = texted(firm), Client()
    answer = somebody.post(link, {"email": ADDRESS, "password": PASSWORD})
    assert ADDRESS in visible_text(answer)
    assert not User.objects.filter(username=ADDRESS).exists()
    mailed = invitation_link_in(mail.outbox[0].body)
    assert mail.outbox[0].to == [ADDRESS]
    for forged in (f"{link}?mailed=x", f"{link}?mailed={ADDRESS}", mailed[:-3] + "xyz"):
        somebody.post(forged, {"email": ADDRESS, "password": PASSWORD})
    assert not User.objects.filter(username=ADDRESS).exists()
    assert Client().post(mailed, {"password": PASSWORD})["Location"] == firm.at("test")
    assert Member.objects.latest("id").user.username == ADDRESS


def test_a_link_that_was_mailed_for_one_invitation_proves_nothing_at_another(firm: Company) -> None:
    first, second = texted(firm), texted(firm)
    Client().post(first, {"email": ADDRESS})
    proof = invitation_link_in(mail.outbox[0].body).partition("?")[2]
    Client().post(f"{second}?{proof}", {"password": PASSWORD, "email": ADDRESS})
    assert not User.objects.filter(username=ADDRESS).exists()


def test_who_was_texted_beside_a_mail_cannot_take_the_address(firm: Company) -> None:
    made, token = team.invite(firm.shop.live.id, "viewer", email=ADDRESS, phone="13812341234", by=BY, at=live_now())
    invitation_messages.send_invitation(made, "来电充电宝", token, phone="13812341234", language="en")
    Client().post(
        invitation_link_in(LocalMessage.objects.get().text), {"email": "own@example.com", "password": PASSWORD}
    )
    assert not User.objects.filter(username__in=[ADDRESS, "own@example.com"]).exists()
    assert [letter.to for letter in mail.outbox] == [[ADDRESS], [ADDRESS]]


def test_so_many_mails_for_one_invitation_and_no_more(firm: Company) -> None:
    link = texted(firm)
    answers = [Client().post(link, {"email": f"{n}@example.com"}).status_code for n in range(7)]
    assert answers == [200] * 5 + [429] * 2
    assert len(mail.outbox) == 5


def test_whoever_works_nowhere_any_more_gets_a_new_password_and_comes_back_by_an_invitation(firm: Company) -> None:
    gone, live = firm.staff["viewer"], firm.shop.live.id
    address = gone.user.username or ""
    team.remove_member(live, gone.id, by=BY, at=live_now())
    Client().post("/merchant/forgotten/", {"email": address})
    assert Letter.objects.filter(user=gone.user, kind="password").count() == 1

    _made, token = team.invite(live, "finance", email=address, by=BY, at=live_now())
    link, client = f"/merchant/invitation/{token}", Client()
    known = {"email": address, "password": PASSWORD}
    assert client.post("/merchant/sign-in/", known).status_code == 422
    assert client.post("/merchant/sign-in/?next=/merchant/invitation/nonsense", known).status_code == 422
    assert client.post(f"/merchant/sign-in/?next={link}", known)["Location"] == link
    assert client.post(link).status_code == 302
    assert client.get(firm.at("test")).status_code == 200


def test_so_many_are_invited_in_an_hour_and_in_a_day_though_each_is_taken_back(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "INVITATIONS_AN_HOUR", 2)
    monkeypatch.setattr(rules, "INVITATIONS_A_DAY", 3)
    live, at = firm.shop.live.id, live_now() + timedelta(days=2)

    def invite() -> None:
        made, _token = team.invite(live, "viewer", email="lin@example.com", by=BY, at=at)
        team.revoke_invitation(live, made.id, by=BY, at=at)

    invite()
    invite()
    with pytest.raises(team.TeamFull, match="近期"):
        invite()
    at += timedelta(hours=1)
    invite()
    at += timedelta(hours=1)
    with pytest.raises(team.TeamFull):
        invite()
    at += timedelta(days=1)
    invite()
    assert at > NOON
