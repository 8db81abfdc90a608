"""Where money goes takes two people, and one owner who invites another is not two."""

from datetime import timedelta

import pytest

from billing.models import PayoutAccount
from billing.services.payout_accounts import Account, ask_payout_account, refuse_payout_account
from kernel.actor import Actor
from kernel.clock import live_now
from portal import rules
from portal.models import Member
from portal.services import payouts, team
from tests.portal.conftest import PASSWORD, Company, browser_of, hire
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
