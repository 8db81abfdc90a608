"""Whatever stands in an address or a field of the console's newer pages: refused or harmless, and nothing moves."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from kernel.forms import new_token
from office.services import proposals
from orders.models import Order
from tests.conftest import NOON, Shop, completed, someone, yuan
from tests.nonsense import NONSENSE
from tests.office.seconds import ASKED, now
from tests.office.test_proposals import named
from tests.stillness import nothing_moves

ODD = (*NONSENSE, *("9999-12-31", "0001-01-01", "prp_" + "f" * 32))
FIELDS = (
    "q",
    "on",
    "realm",
    "code",
    "owner",
    "first",
    "last",
    "since",
    "until",
    "merchant",
    "mode",
    "service",
    "currency",
)
FIELDS += (
    "parts",
    "note",
    "deed",
    "because",
    "amount",
    "limit",
    "due_at",
    "reference",
    "txn",
    "evidence",
    "bearer",
    "roles",
)
LISTS = ("figures/", "book/", "book/account", "system/", "second/", "channels/", "policies/", "help/", "words/")
#: More than a form may weigh.
HUGE = 10_000_000


@pytest.fixture
def order(power_bank: Shop) -> Order:
    return completed(power_bank, someone(power_bank), yuan("8"), due_at=NOON + timedelta(days=3))


@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:30])
def test_nonsense_breaks_no_desk(value: str, order: Order, at_desk: Callable[..., Client]) -> None:
    boss = at_desk("supervisor")
    asked = proposals.propose("write_off", order.public_id, {}, "x", by=named("supervisor"), at=NOON)
    given = dict.fromkeys(FIELDS, value)
    part = value.replace("\0", "%00").replace("\\", "%5C").replace("%_", "%25_")[:2_000]
    with nothing_moves("django_session"):
        for page in LISTS[ODD.index(value) % 3 :: 3]:  # each is asked for four of them
            answer = boss.get(f"/ops/{page}", given)
            assert answer.status_code in (200, 404, 422), (page, answer.status_code)
            assert b"<script>alert" not in b"".join(answer), page
        for path in (
            f"order/{part}",
            f"second/{part}",
            f"reveal/{part}",
            f"do/{part}/write_off",
            f"do/{order.public_id}/{part}",
        ):
            for answer in (boss.get(f"/ops/{path}"), boss.post(f"/ops/{path}", given)):
                assert answer.status_code in (302, 404, 405), (path, answer.status_code)
    with nothing_moves(*ASKED, "kernel_auditline", "kernel_audithead"):
        for path in ("find", f"second/{asked.public_id}/decide", f"reveal/{order.person.public_id}"):
            assert boss.post(f"/ops/{path}", given | {"token": new_token()}).status_code in (200, 302, 403, 404, 422), (
                path
            )
        for verb in ("move_date", "refund", "mark_paid", "lower_total", "pause"):
            answer = boss.post(f"/ops/do/{order.public_id}/{verb}", given | {"token": new_token()})
            assert answer.status_code in (404, 422), (verb, answer.status_code)
    assert now(asked).state == "open"


def test_ten_megabytes_are_refused_at_every_desk(order: Order, at_desk: Callable[..., Client]) -> None:
    boss = at_desk("supervisor")
    asked = proposals.propose("write_off", order.public_id, {}, "x", by=named("supervisor"), at=NOON)
    with nothing_moves("django_session"):
        for path in (
            "find",
            f"second/{asked.public_id}/decide",
            f"reveal/{order.person.public_id}",
            f"do/{order.public_id}/pause",
        ):
            answer = boss.post(f"/ops/{path}", {"token": new_token(), "note": "🔋" * (HUGE // 4), "deed": "approve"})
            assert 400 <= answer.status_code < 500, (path, answer.status_code)
