"""Inviting, joining and removing members of a team, also two at the same moment."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from accounts import refusals
from accounts import services as accounts
from accounts.models import Person, User
from kernel.actor import Actor
from kernel.refusal import Invalid, NotFound
from merchants.models import Change
from portal import rules
from portal.models import Invitation, Member
from portal.rules import Role
from portal.services import team
from tests.conftest import BY, NOON, make_shop
from tests.portal.conftest import PASSWORD, Company, add_member
from tests.unchanged import assert_unchanged

NEWCOMER = team.NewAccount("lin@example.com", PASSWORD)


def test_an_invitation_makes_a_member_who_is_neither_person_nor_colleague(firm: Company) -> None:
    live = firm.shop.live
    made, token = team.invite(live.id, "developer", email=" Lin@Example.com ", by=BY, at=NOON)
    member = team.accept_invitation(token, new_account=NEWCOMER, by=BY, at=NOON)
    assert (member.role, member.user.username, member.merchant_id) == ("developer", "lin@example.com", live.id)
    assert not member.user.is_staff
    assert not Person.objects.filter(user=member.user).exists()
    assert bytes(Invitation.objects.get(pk=made.id).digest) == rules.token_digest(token)
    verbs = list(Change.objects.filter(merchant=live).values_list("verb", "by").order_by("id"))[-2:]
    assert verbs == [("member_invited", "system:test"), ("member_joined", f"member:{member.user.public_id}")]


def test_an_invitation_is_good_once(firm: Company) -> None:
    _made, token = team.invite(firm.shop.live.id, "viewer", email="lin@example.com", by=BY, at=NOON)
    team.accept_invitation(token, new_account=NEWCOMER, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(team.InvitationClosed):
        team.accept_invitation(token, new_account=NEWCOMER, by=BY, at=NOON)


def test_an_invitation_runs_out_and_can_be_taken_back(firm: Company) -> None:
    live = firm.shop.live.id
    _made, token = team.invite(live, "viewer", email="lin@example.com", by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(team.InvitationClosed):
        team.accept_invitation(token, new_account=NEWCOMER, by=BY, at=NOON + rules.INVITATION_VALID_FOR)
    made, token = team.invite(live, "viewer", phone="13812341234", by=BY, at=NOON)
    assert made.sent_to == "138****1234"
    for _ in range(2):
        team.revoke_invitation(live, made.id, by=BY, at=NOON)
    assert Change.objects.filter(verb="invitation_revoked").count() == 1
    with pytest.raises(team.InvitationClosed):
        team.accept_invitation(token, new_account=NEWCOMER, by=BY, at=NOON)
    with pytest.raises(NotFound):
        team.accept_invitation("no such token", new_account=NEWCOMER, by=BY, at=NOON)


def test_an_account_that_is_there_joins_another_business_by_signing_in(firm: Company, rival: Company) -> None:
    user = firm.staff["viewer"].user
    _made, token = team.invite(rival.shop.live.id, "finance", email=user.username or "", by=BY, at=NOON)
    with pytest.raises(team.AccountExists):
        team.accept_invitation(token, new_account=team.NewAccount("x@example.com", PASSWORD), by=BY, at=NOON)
    with pytest.raises(team.WrongAccount):
        team.accept_invitation(token, user_id=firm.staff["owner"].user_id, by=BY, at=NOON)
    member = team.accept_invitation(token, user_id=user.id, by=Actor.member(user.id), at=NOON)
    assert member.merchant_id == rival.shop.live.id
    assert user.memberships.count() == 2


def test_people_and_colleagues_cannot_become_members(firm: Company) -> None:
    live, colleague = firm.shop.live.id, accounts.create_staff("kim", PASSWORD, roles=[], by=BY, at=NOON)
    person = accounts.register_person("+8613812341234", realm_id=firm.shop.realm_id, by=BY, at=NOON).user
    assert person
    for user in (colleague, person):
        _made, token = team.invite(live, "viewer", phone="13912341234", by=BY, at=NOON)
        with assert_unchanged(), pytest.raises(team.WrongAccount):
            team.accept_invitation(token, user_id=user.id, by=BY, at=NOON)


def test_what_is_asked_for_badly_is_refused(firm: Company) -> None:
    live = firm.shop.live.id
    with assert_unchanged():
        for wish, refusal in (
            ({"role": "king", "email": "a@example.com"}, Invalid),
            ({"role": "viewer"}, Invalid),
            ({"role": "viewer", "email": "not an address"}, refusals.InvalidEmail),
            ({"role": "viewer", "email": "a" * 60 + "@x.com"}, refusals.InvalidEmail),
            ({"role": "viewer", "phone": "12"}, refusals.InvalidPhone),
            ({"role": "viewer", "email": firm.staff["owner"].user.username or ""}, team.AlreadyMember),
        ):
            with pytest.raises(refusal):
                team.invite(live, **wish, by=BY, at=NOON)
    _made, token = team.invite(live, "viewer", phone="13912341234", by=BY, at=NOON)
    with assert_unchanged():
        with pytest.raises(refusals.WeakPassword):
            team.accept_invitation(token, new_account=team.NewAccount("lin@example.com", "password"), by=BY, at=NOON)
        with pytest.raises(refusals.InvalidEmail):
            team.accept_invitation(token, new_account=team.NewAccount("a" * 70 + "@x.com", PASSWORD), by=BY, at=NOON)


def test_the_last_owner_stays_and_stays_owner(firm: Company) -> None:
    live, owner = firm.shop.live.id, firm.staff["owner"]
    with assert_unchanged():
        with pytest.raises(team.LastOwner):
            team.remove_member(live, owner.id, by=BY, at=NOON)
        with pytest.raises(team.LastOwner):
            team.change_role(live, owner.id, "viewer", by=BY, at=NOON)
    team.change_role(live, firm.staff["developer"].id, "owner", by=BY, at=NOON)
    team.remove_member(live, owner.id, by=BY, at=NOON)
    assert not Member.objects.filter(user=owner.user, removed_at__isnull=True).exists()
    with pytest.raises(NotFound):
        team.remove_member(live, owner.id, by=BY, at=NOON)


def test_another_businesss_members_and_invitations_are_as_if_missing(firm: Company, rival: Company) -> None:
    made, _token = team.invite(rival.shop.live.id, "viewer", email="lin@example.com", by=BY, at=NOON)
    live = firm.shop.live.id
    with assert_unchanged():
        with pytest.raises(NotFound):
            team.change_role(live, rival.staff["viewer"].id, "owner", by=BY, at=NOON)
        with pytest.raises(NotFound):
            team.remove_member(live, rival.staff["viewer"].id, by=BY, at=NOON)
        with pytest.raises(NotFound):
            team.revoke_invitation(live, made.id, by=BY, at=NOON)


@pytest.mark.parametrize("how", ["removed", "no owner any more"])
def test_an_owner_who_goes_has_no_invitation_left_to_come_back_by(firm: Company, how: str) -> None:
    live, second = firm.shop.live.id, add_member(firm.shop, Role.OWNER, "second@example.com")
    owner, theirs = Actor.member(firm.staff["owner"].user_id), Actor.member(second.user_id)
    _made, token = team.invite(live, "owner", email="back@example.com", by=theirs, at=NOON)
    kept, _token = team.invite(live, "viewer", email="mei@example.com", by=owner, at=NOON)
    if how == "removed":
        team.remove_member(live, second.id, by=owner, at=NOON)
    else:
        team.change_role(live, second.id, "viewer", by=owner, at=NOON)
    with assert_unchanged(), pytest.raises(team.InvitationClosed):
        team.accept_invitation(token, new_account=team.NewAccount("back@example.com", PASSWORD), by=BY, at=NOON)
    assert Invitation.objects.get(pk=kept.id).is_open(NOON)
    assert Change.objects.filter(verb="invitation_revoked", by=str(owner)).count() == 1


def test_whoever_was_removed_can_be_invited_again(firm: Company) -> None:
    viewer = firm.staff["viewer"]
    team.remove_member(firm.shop.live.id, viewer.id, by=BY, at=NOON)
    _made, token = team.invite(firm.shop.live.id, "finance", email=viewer.user.username or "", by=BY, at=NOON)
    again = team.accept_invitation(token, user_id=viewer.user_id, by=BY, at=NOON)
    assert (again.role, again.id != viewer.id) == ("finance", True)


def test_of_two_owners_who_remove_each_other_at_once_one_stays(transactional_db: None) -> None:
    shop = make_shop("来电充电宝")
    first = team.create_team(shop.live.id, "a@example.com", PASSWORD, by=BY, at=NOON)
    second = add_member(shop, Role.OWNER, "b@example.com")
    at_once([partial(_remove, first), partial(_remove, second)])
    assert Member.objects.filter(merchant=shop.live, role="owner", removed_at__isnull=True).count() == 1


def test_a_link_that_two_open_at_once_makes_one_member(transactional_db: None) -> None:
    shop = make_shop("来电充电宝")
    _made, token = team.invite(shop.live.id, "viewer", phone="13812341234", by=BY, at=NOON)
    at_once([partial(_accept, token, f"{n}@example.com") for n in range(3)])
    assert Member.objects.count() == 1
    assert User.objects.filter(username__endswith="@example.com").count() == 1


def _remove(member: Member) -> None:
    try:
        team.remove_member(member.merchant_id, member.id, by=BY, at=NOON + timedelta(hours=1))
    except team.LastOwner:
        return


def _accept(token: str, email: str) -> None:
    try:
        team.accept_invitation(token, new_account=team.NewAccount(email, PASSWORD), by=BY, at=NOON)
    except team.InvitationClosed:
        return


def at_once(deeds: Sequence[Callable[[], None]]) -> None:
    def run(deed: Callable[[], None]) -> None:
        try:
            deed()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
