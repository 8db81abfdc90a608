"""Payout accounts need two independent people: a member invited by the other, or by the colleague, is not."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.test import Client

from billing.models import PayoutAccount
from billing.services.payout_accounts import AccountDetails, reject_payout_account, request_payout_account
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import ApprovalRequired, NotFound
from portal import rules
from portal.models import Invitation, Member
from portal.services import payout_account_approval, team
from tests.browsing import form_token, visible_text
from tests.conftest import BY, NOON
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page
from tests.office.approval_helpers import propose_on_page as asked_for
from tests.office.merchant_fixtures import merchant_at
from tests.portal.conftest import PASSWORD, Company, add_member, browser_of, invitation_link_in
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.django_db


def invited(firm: Company, by: Member, role: str = "owner") -> Member:
    """Somebody whom this member asked to join, and who did."""
    email = f"{role}.{Member.objects.count()}@example.com"
    _made, token = team.invite(firm.shop.live.id, role, email=email, by=Actor.member(by.user_id), at=live_now())
    newcomer = team.NewAccount(email, PASSWORD)
    return team.accept_invitation(token, new_account=newcomer, by=Actor.system("invitation"), at=live_now())


def asked(firm: Company, by: Member, *, later: timedelta = timedelta()) -> PayoutAccount:
    account = AccountDetails(holder="来电科技", bank="招商银行", number="6222021234567890")
    merchant, at = firm.shop.live, live_now() + later
    return request_payout_account(merchant.id, account, by=Actor.member(by.user_id), at=at)


def agreed(row: PayoutAccount, by: Member) -> str:
    return payout_account_approval.approve_as_owner(
        row, by, by=Actor.member(by.user_id), at=row.asked_at + timedelta(hours=1)
    ).state


def test_an_owner_who_invites_an_owner_is_still_one_person(firm: Company) -> None:
    mine = firm.staff["owner"]
    row = asked(firm, mine)
    client = browser_of(invited(firm, mine).user)
    address = f"{firm.at('live')}payout-account/{row.public_id}/agree"
    with assert_unchanged("django_session", "kernel_idempotencykey"):
        answer = client.post(address, {"token": form_token(client.get(address))})
    assert (answer.status_code, "七天" in visible_text(answer)) == (422, True)


def test_a_recently_invited_member_is_not_a_second_person(firm: Company) -> None:
    first = firm.staff["owner"]
    second = invited(firm, first)
    third = invited(firm, second)
    for asks, agrees in ((first, second), (second, first), (first, third), (third, first)):
        row = asked(firm, asks)
        with pytest.raises(payout_account_approval.MemberTooNew):
            agreed(row, agrees)
        reject_payout_account(row.id, by=Actor.member(asks.user_id), at=row.asked_at)
    row = asked(firm, third, later=rules.NEW_MEMBER_PERIOD + timedelta(hours=1))
    assert agreed(row, second) == "agreed"


def test_nobody_agrees_to_what_was_asked_for_before_they_came(firm: Company) -> None:
    row = asked(firm, firm.staff["finance"])
    with pytest.raises(payout_account_approval.MemberTooNew):
        agreed(row, add_member(firm.shop, rules.Role.OWNER, "late@example.com"))
    assert agreed(row, firm.staff["owner"]) == "agreed"  # whom the platform asked in counts from the first day


def test_in_a_sandbox_a_new_colleague_may_play_the_second(firm: Company) -> None:
    mine = firm.staff["owner"]
    account = AccountDetails(holder="来电科技", bank="招商银行", number="6222021234567890")
    row = request_payout_account(firm.shop.merchant.id, account, by=Actor.member(mine.user_id), at=live_now())
    assert agreed(row, invited(firm, mine)) == "agreed"


def test_no_colleague_alone_asks_in_somebody_beside_an_owner(firm: Company, risk: Client, supervisor: Client) -> None:
    address, mallory = f"/ops/do/{firm.shop.live.public_id}/invite_owner", "mallory@evil.example"
    assert "须双人复核" in page_text(risk.get(address))
    with assert_unchanged(*PROPOSAL_TABLES):
        row = asked_for(risk, address, email=mallory, note="x")
    assert mallory not in {to for letter in mail.outbox for to in letter.to}
    alone = Actor.staff(uuid4())
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        team.invite(firm.shop.live.id, "viewer", email=mallory, by=alone, at=live_now())
    assert decide_on_page(supervisor, row).status_code == 302
    (letter,) = [letter for letter in mail.outbox if letter.to == [mallory]]
    assert Client().post(invitation_link_in(letter.body), {"password": PASSWORD}).status_code == 302
    joined = Member.objects.latest("pk")
    assert (joined.role, "+" in Invitation.objects.get(email=mallory).by) == ("owner", True)
    assert agreed(asked(firm, firm.staff["owner"], later=timedelta(hours=1)), joined) == "agreed"


def test_an_invitation_that_waits_is_as_good_as_an_owner(db: None, risk: Client) -> None:
    live = merchant_at("newcomer")
    path = f"/ops/do/{live.public_id}/invite_owner"
    assert "须双人复核" not in page_text(risk.get(path))
    assert submit_form(risk, path, email="wang@example.com", note="x").status_code == 302
    with assert_unchanged(*PROPOSAL_TABLES):
        asked_for(risk, path, email="mallory@evil.example", note="x")
    assert not team.has_owner(live.id, at=live_now() + rules.INVITATION_VALID_FOR)


def test_who_asked_somebody_in_does_not_agree_as_our_staff(
    db: None, supervisor: Client, console_client: Callable[..., Client]
) -> None:
    live = merchant_at("active")
    assert (
        submit_form(supervisor, f"/ops/do/{live.public_id}/invite_owner", email="m@evil.example", note="x").status_code
        == 302
    )
    made, token = (
        Invitation.objects.get(),
        invitation_link_in(mail.outbox[-1].body).rpartition("/")[2].partition("?")[0],
    )
    newcomer = team.NewAccount(made.email, PASSWORD)
    first = team.accept_invitation(token, new_account=newcomer, by=Actor.system("invitation"), at=live_now())
    _made, token = team.invite(live.id, "finance", email="n@x.cn", by=Actor.member(first.user_id), at=live_now())
    second = team.accept_invitation(token, new_account=team.NewAccount("n@x.cn", PASSWORD), by=BY, at=live_now())
    account = AccountDetails(holder="M", bank="B", number="6222021234567890")
    row = request_payout_account(live.id, account, by=Actor.member(second.user_id), at=live_now())
    address = f"/ops/do/{row.public_id}/agree_account"
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        answer = submit_form(supervisor, address, note="x")
    assert (answer.status_code, "其他同事" in page_text(answer)) == (422, True)
    assert submit_form(console_client("finance"), address, note="x").status_code == 302


def test_whoever_is_no_owner_any_more_at_that_moment_agrees_to_nothing(firm: Company) -> None:
    row, late = asked(firm, firm.staff["finance"]), add_member(firm.shop, rules.Role.OWNER, "late@example.com")
    Member.objects.filter(pk=late.pk).update(joined_at=row.asked_at)
    for change in ({"role": "viewer"}, {"role": "owner", "removed_at": row.asked_at}):
        Member.objects.filter(pk=late.pk).update(**change)
        with assert_unchanged(), pytest.raises(NotFound):
            agreed(row, late)


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"role": "developer"}, {"removed_at": NOON}])
def test_no_account_is_agreed_whose_requester_left_or_lost_the_role(
    firm: Company, supervisor: Client, change: dict[str, object]
) -> None:
    row = asked(firm, firm.staff["finance"])
    path = f"/ops/do/{row.public_id}/agree_account"
    assert "申请人：finance@" in page_text(supervisor.get(path))
    assert "申请人：finance@" in visible_text(
        firm.browser("owner").get(f"{firm.at('live')}payout-account/{row.public_id}/agree")
    )
    Member.objects.filter(pk=firm.staff["finance"].pk).update(**change)
    with assert_unchanged(), pytest.raises(payout_account_approval.RequesterNotAuthorized):
        agreed(row, firm.staff["owner"])
    with assert_unchanged(), pytest.raises(payout_account_approval.RequesterNotAuthorized):
        payout_account_approval.approve_as_staff(row.id, "x", by=Actor.staff(uuid4()), at=live_now())
    assert "申请人已离开该商户团队" in page_text(supervisor.get(path))
    assert submit_form(supervisor, f"/ops/do/{row.public_id}/refuse_account", note="x").status_code == 302
    assert PayoutAccount.objects.get(pk=row.pk).state == "refused"
