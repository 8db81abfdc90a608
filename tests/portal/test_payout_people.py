"""Where money goes takes two people: one owner who invites another is not two, nor a colleague who invites owners."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.test import Client

from billing.models import PayoutAccount
from billing.services.payout_accounts import Account, ask_payout_account, refuse_payout_account
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import NotFound, SecondNeeded
from portal import rules
from portal.models import Invitation, Member
from portal.services import payouts, team
from tests.conftest import BY
from tests.console.conftest import does, words_of
from tests.office.newcomers import merchant_at
from tests.office.seconds import ASKED, decided
from tests.office.seconds import asked as asked_for
from tests.portal.conftest import PASSWORD, Company, browser_of, hire, link_in
from tests.stillness import nothing_moves
from tests.visiting import token_on, words

pytestmark = pytest.mark.django_db


def invited(firm: Company, by: Member, role: str = "owner") -> Member:
    """Somebody whom this member asked to join, and who did."""
    email = f"{role}.{Member.objects.count()}@example.com"
    _made, token = team.invite(firm.shop.live.id, role, email=email, by=Actor.member(by.user_id), at=live_now())
    newcomer = team.Newcomer(email, PASSWORD)
    return team.accept_invitation(token, newcomer=newcomer, by=Actor.system("invitation"), at=live_now())


def asked(firm: Company, by: Member, *, later: timedelta = timedelta()) -> PayoutAccount:
    account = Account(holder="来电科技", bank="招商银行", number="6222021234567890")
    merchant, at = firm.shop.live, live_now() + later
    return ask_payout_account(merchant.id, account, by=Actor.member(by.user_id), at=at)


def agreed(row: PayoutAccount, by: Member) -> str:
    return payouts.agree(row, by, by=Actor.member(by.user_id), at=row.asked_at + timedelta(hours=1)).state


def test_an_owner_who_invites_an_owner_is_still_one_person(firm: Company) -> None:
    mine = firm.staff["owner"]
    row = asked(firm, mine)
    client = browser_of(invited(firm, mine).user)
    address = f"{firm.at('live')}payout-account/{row.public_id}/agree"
    with nothing_moves("django_session", "kernel_idempotencykey"):
        answer = client.post(address, {"token": token_on(client.get(address))})
    assert (answer.status_code, "七天" in words(answer)) == (422, True)


def test_whichever_of_the_two_was_invited_lately_and_through_whomever(firm: Company) -> None:
    first = firm.staff["owner"]
    second = invited(firm, first)
    third = invited(firm, second)
    for asks, agrees in ((first, second), (second, first), (first, third), (third, first)):
        row = asked(firm, asks)
        with pytest.raises(payouts.MemberTooNew):
            agreed(row, agrees)
        refuse_payout_account(row.id, by=Actor.member(asks.user_id), at=row.asked_at)
    row = asked(firm, third, later=rules.STRANGER_FOR + timedelta(hours=1))
    assert agreed(row, second) == "agreed"


def test_nobody_agrees_to_what_was_asked_for_before_they_came(firm: Company) -> None:
    row = asked(firm, firm.staff["finance"])
    with pytest.raises(payouts.MemberTooNew):
        agreed(row, hire(firm.shop, rules.Role.OWNER, "late@example.com"))
    assert agreed(row, firm.staff["owner"]) == "agreed"  # whom the platform asked in counts from the first day


def test_in_a_sandbox_a_new_colleague_may_play_the_second(firm: Company) -> None:
    mine = firm.staff["owner"]
    account = Account(holder="来电科技", bank="招商银行", number="6222021234567890")
    row = ask_payout_account(firm.shop.merchant.id, account, by=Actor.member(mine.user_id), at=live_now())
    assert agreed(row, invited(firm, mine)) == "agreed"


def test_no_colleague_alone_asks_in_somebody_beside_an_owner(firm: Company, risk: Client, boss: Client) -> None:
    address, mallory = f"/ops/do/{firm.shop.live.public_id}/invite_owner", "mallory@evil.example"
    assert "须双人复核" in words_of(risk.get(address))
    with nothing_moves(*ASKED):
        row = asked_for(risk, address, email=mallory, note="x")
    assert mallory not in {to for letter in mail.outbox for to in letter.to}
    alone = Actor.staff(uuid4())
    with nothing_moves(), pytest.raises(SecondNeeded):
        team.invite(firm.shop.live.id, "viewer", email=mallory, by=alone, at=live_now())
    assert decided(boss, row).status_code == 302
    (letter,) = [letter for letter in mail.outbox if letter.to == [mallory]]
    assert Client().post(link_in(letter.body), {"password": PASSWORD}).status_code == 302
    joined = Member.objects.latest("pk")
    assert (joined.role, "+" in Invitation.objects.get(email=mallory).by) == ("owner", True)
    assert agreed(asked(firm, firm.staff["owner"], later=timedelta(hours=1)), joined) == "agreed"


def test_an_invitation_that_waits_is_as_good_as_an_owner(db: None, risk: Client) -> None:
    live = merchant_at("newcomer")
    path = f"/ops/do/{live.public_id}/invite_owner"
    assert "须双人复核" not in words_of(risk.get(path))
    assert does(risk, path, email="wang@example.com", note="x").status_code == 302
    with nothing_moves(*ASKED):
        asked_for(risk, path, email="mallory@evil.example", note="x")
    assert not team.owner_known(live.id, at=live_now() + rules.INVITATION_LIFE)


def test_who_asked_somebody_in_does_not_agree_as_our_staff(
    db: None, boss: Client, at_desk: Callable[..., Client]
) -> None:
    live = merchant_at("active")
    assert does(boss, f"/ops/do/{live.public_id}/invite_owner", email="m@evil.example", note="x").status_code == 302
    made, token = Invitation.objects.get(), link_in(mail.outbox[-1].body).rpartition("/")[2].partition("?")[0]
    newcomer = team.Newcomer(made.email, PASSWORD)
    first = team.accept_invitation(token, newcomer=newcomer, by=Actor.system("invitation"), at=live_now())
    _made, token = team.invite(live.id, "finance", email="n@x.cn", by=Actor.member(first.user_id), at=live_now())
    second = team.accept_invitation(token, newcomer=team.Newcomer("n@x.cn", PASSWORD), by=BY, at=live_now())
    account = Account(holder="M", bank="B", number="6222021234567890")
    row = ask_payout_account(live.id, account, by=Actor.member(second.user_id), at=live_now())
    address = f"/ops/do/{row.public_id}/agree_account"
    with nothing_moves(*ASKED[2:]):
        answer = does(boss, address, note="x")
    assert (answer.status_code, "其他同事" in words_of(answer)) == (422, True)
    assert does(at_desk("finance"), address, note="x").status_code == 302


def test_whoever_is_no_owner_any_more_at_that_moment_agrees_to_nothing(firm: Company) -> None:
    row, late = asked(firm, firm.staff["finance"]), hire(firm.shop, rules.Role.OWNER, "late@example.com")
    Member.objects.filter(pk=late.pk).update(joined_at=row.asked_at)
    for change in ({"role": "viewer"}, {"role": "owner", "removed_at": row.asked_at}):
        Member.objects.filter(pk=late.pk).update(**change)
        with nothing_moves(), pytest.raises(NotFound):
            agreed(row, late)
