"""Unanswered returns are confirmed at their deadline unless refused in time; one failure does not stop the others."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from billing.models import Return
from billing.services import return_deadlines as watching
from billing.services.return_deadlines import process_due_returns
from billing.services.return_decisions import refuse_return
from tests.billing.helpers import paid_order
from tests.billing.return_helpers import opened_return, reloaded
from tests.conftest import BY, Shop


def test_refusal_in_time_wins_over_a_job_already_running(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    row = opened_return(paid_order(power_bank))
    take_turn = watching._claim_due_returns  # noqa: SLF001  a merchant answers between the ring's two steps

    def refused_meanwhile(realm_id: int, *, at: datetime, limit: int) -> list[Return]:
        rows = take_turn(realm_id, at=at, limit=limit)
        refuse_return(row.id, "空包裹", by=BY, at=at - timedelta(milliseconds=5))
        return rows

    process_due_returns(power_bank.realm_id, at=reloaded(row).act_at)  # type: ignore[arg-type]
    monkeypatch.setattr(watching, "_claim_due_returns", refused_meanwhile)
    assert process_due_returns(power_bank.realm_id, at=row.answer_until) == 1
    assert (reloaded(row).state, reloaded(row).because) == ("refused", "空包裹")


def test_a_failing_return_does_not_stop_the_others(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = opened_return(paid_order(power_bank)), opened_return(paid_order(power_bank))
    confirm = watching.confirm_return

    def fails_for_one(key: UUID, **more: Any) -> Return:
        if key == bad.id:
            raise ValueError("of its own")
        return confirm(key, **more)

    monkeypatch.setattr(watching, "confirm_return", fails_for_one)
    with pytest.raises(ValueError, match="of its own"):
        process_due_returns(power_bank.realm_id, at=bad.answer_until)
    assert [reloaded(row).state for row in (bad, good)] == ["advanced", "confirmed"]
    assert reloaded(bad).act_at == bad.answer_until + watching.RETRY_AFTER
