"""Silence counts as a yes only where nobody said no in time, and one return's trouble is not the others'."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from billing.models import Return
from billing.services import watch_returns as watching
from billing.services.return_ends import refuse_return
from billing.services.watch_returns import watch_returns
from tests.billing.bench import paid
from tests.billing.returning import now, sent_back
from tests.conftest import BY, Shop


def test_a_no_in_time_is_not_overruled_by_a_ring_that_began_before_it(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = sent_back(paid(power_bank))
    take_turn = watching._take_turn  # noqa: SLF001  a merchant answers between the ring's two steps

    def refused_meanwhile(realm_id: int, *, at: datetime, limit: int) -> list[Return]:
        rows = take_turn(realm_id, at=at, limit=limit)
        refuse_return(row.id, "空包裹", by=BY, at=at - timedelta(milliseconds=5))
        return rows

    watch_returns(power_bank.realm_id, at=now(row).act_at)  # type: ignore[arg-type]
    monkeypatch.setattr(watching, "_take_turn", refused_meanwhile)
    assert watch_returns(power_bank.realm_id, at=row.answer_until) == 1
    assert (now(row).state, now(row).because) == ("refused", "空包裹")


def test_a_return_that_cannot_be_confirmed_keeps_none_behind_it_waiting(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = sent_back(paid(power_bank)), sent_back(paid(power_bank))
    confirm = watching.confirm_return

    def fails_for_one(key: UUID, **more: Any) -> Return:
        if key == bad.id:
            raise ValueError("of its own")
        return confirm(key, **more)

    monkeypatch.setattr(watching, "confirm_return", fails_for_one)
    with pytest.raises(ValueError, match="of its own"):
        watch_returns(power_bank.realm_id, at=bad.answer_until)
    assert [now(row).state for row in (bad, good)] == ["advanced", "confirmed"]
    assert now(bad).act_at == bad.answer_until + watching.WAIT
