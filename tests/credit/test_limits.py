"""Changing a limit takes two members of staff; the person is told the old and new limit, and where to object."""

import pytest

from accounts.models import Delivery, Notice
from credit import limits
from kernel.refusal import Invalid
from tests.conftest import BY, NOON, Shop, make_agreement, make_person
from tests.unchanged import assert_unchanged


def test_the_person_is_told(power_bank: Shop) -> None:
    person = make_person(power_bank)
    make_agreement(power_bank, person)
    limits.change_limit(person.id, 123_45, "x", by=BY, at=NOON)
    notice = Notice.objects.get(stage="limit_changed", person=person)
    assert "¥123.45" in notice.subject + notice.body
    assert "原为" in notice.body
    assert notice.body.endswith("/credit/")
    assert {copy.channel for copy in Delivery.objects.filter(notice=notice)} >= {"inbox", "sms"}
    with assert_unchanged(), pytest.raises(Invalid):
        limits.change_limit(person.id, 123_45, "x", by=BY, at=NOON)
