"""Owners and finance are emailed once about a returned payout that is theirs again."""

from datetime import timedelta

import pytest
from django.core import mail

from billing.models import Payout
from billing.services import cases
from billing.services.payout_returns import record_payout_return
from kernel.clock import live_now
from portal import tasks
from portal.models import Letter
from portal.services import letter_triggers, letters
from portal.services.team import remove_member
from tests.conftest import BY, NOON
from tests.portal.conftest import Company, company
from tests.settlement.test_payout_returns import LATER, LETTER, MEI, paid_out
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.breaks_invariants  # the sandbox bank never sent it back


@pytest.fixture
def firm(db: None) -> Company:
    return company("来电充电宝")


def came_back(firm: Company) -> Payout:
    """Judged, and theirs again."""
    row = paid_out(firm.shop)
    case = record_payout_return(row.id, **LETTER, by=MEI, at=LATER)
    letter_triggers.queue_payout_letters(at=NOON, limit=9)
    assert not Letter.objects.exists(), "as long as nobody has judged it"
    cases.close_case(case.id, "merchant", "账户已核实", by=MEI, at=LATER)
    return row


def test_owners_and_finance_hear_once_that_it_is_theirs_again(firm: Company) -> None:
    row = came_back(firm)
    owner = firm.staff["owner"].user
    owner.language = "en"
    owner.save(update_fields=["language"])
    for _ in range(2):
        tasks.send_letters()
    told = [sent for sent in mail.outbox if "5.96" in str(sent.subject)]
    heard = {sent.to[0]: sent for sent in told}
    assert len(told) == 2
    assert set(heard) == {firm.staff[role].user.email for role in ("owner", "finance")}
    chinese, english = heard[firm.staff["finance"].user.email], heard[owner.email]
    assert chinese.subject == f"{firm.shop.merchant.name}：一笔打款被退回（¥5.96）"
    assert english.subject == f"{firm.shop.merchant.name}: a payout of CN¥5.96 was returned"
    assert row.account is not None
    for said in (f"{firm.at('test')}settlements/{row.settlement.public_id}", row.account.number_masked, "沙箱"):
        assert said in str(chinese.body), said


def test_a_second_return_of_the_payout_sends_no_email(firm: Company) -> None:
    row = came_back(firm)
    assert [letter_triggers.queue_payout_letters(at=NOON, limit=9) for _ in range(2)] == [1, 0]
    Letter.objects.update(next_at=None)
    again = row.cases.create(realm_id=row.realm_id, kind="declined_after_payout", detail={}, opened_at=LATER)
    cases.close_case(again.id, "stands", "x", by=MEI, at=LATER + timedelta(days=1))
    with assert_unchanged():
        assert letter_triggers.queue_payout_letters(at=live_now(), limit=9) == 0


def test_who_works_there_no_more_is_not_told(firm: Company) -> None:
    came_back(firm)
    letter_triggers.queue_payout_letters(at=NOON, limit=9)
    remove_member(firm.shop.live.id, firm.staff["finance"].id, by=BY, at=NOON)
    assert letters.send_due(at=NOON, limit=9) == 2
    assert [sent.to for sent in mail.outbox] == [[firm.staff["owner"].user.email]]
