"""Whatever stands in an address or a field of the console's newer pages: refused or harmless, and nothing moves."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from django.test import Client

from kernel.clock import live_now
from kernel.forms import new_token
from office.models import Listing
from office.services import proposals
from office.services.files import make_files
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
FIELDS += ("name", "legal_name", "registration", "website", "contact", "email", "table", "as", "look", "cursor", "o")
FIELDS += ("username", "password", "credential", "next", "whose", "kind", "bucket", "after", "to", "holder", "row")
FIELDS += ("enrolment", "way", "outcome", "promised_on", "minutes", "order", "resolution", "days")
LISTS = ("figures/", "book/", "book/account", "system/", "second/", "channels/", "policies/", "help/", "words/")
LISTS += ("merchants/", "merchants/new", "files/", "files/new", "own/", "own/confirm")
LISTS += ("colleagues/", "colleagues/new", "queues/", "queues/problem", "collections/")
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
            f"merchants/{part}",
            f"merchants/{part}/statement",
            f"files/{part}",
            f"queues/{part}",
            f"queues/problem/{part}",
            f"collections/{part}",
            f"case/{part}",
            f"own/factors/{part}/remove",
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


@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:30])
def test_nonsense_takes_nobody_in_makes_no_file_and_opens_no_door(value: str, at_desk: Callable[..., Client]) -> None:
    boss, given = at_desk("supervisor"), dict.fromkeys(FIELDS, value)
    with nothing_moves("django_session", "mfa_authenticator"):
        for path in ("own/confirm", "own/app", "own/passkey", "own/codes"):
            assert boss.post(f"/ops/{path}", given | {"token": new_token()}).status_code in (302, 422), path
        assert Client().post("/ops/login/", given).status_code in (200, 422)
        assert boss.post("/ops/colleagues/new", given | {"token": new_token()}).status_code == 422
    with nothing_moves("kernel_auditline", "kernel_audithead"):
        assert Client().post("/ops/login/join", given).status_code == 422
    files = (
        ("orders.order", "csv", f"q={quote(value[:500])}"),
        ("orders.order", "xlsx", value[:500]),
        (value, value, value),
    )
    for table, kind, look in files:
        path = f"/ops/files/new?{urlencode({'table': table, 'as': kind, 'look': look})}"
        assert boss.get(path).status_code in (200, 302, 403, 404), path
        assert boss.post(path, {"note": value, "token": new_token()}).status_code in (302, 403, 404, 409, 422), path
    made = make_files(at=live_now(), seconds=5)
    assert made <= 1, "what was asked for, if it was a list at all, is an empty one"
    assert not Listing.objects.filter(next_at__isnull=False).exists()
    taken_in = boss.post("/ops/merchants/new", given | {"email": "wang@example.com", "token": new_token()})
    assert taken_in.status_code in (302, 422)
    assert b"<script>alert" not in boss.get("/ops/merchants/").content


def test_ten_megabytes_are_refused_at_every_desk(order: Order, at_desk: Callable[..., Client]) -> None:
    boss = at_desk("supervisor")
    asked = proposals.propose("write_off", order.public_id, {}, "x", by=named("supervisor"), at=NOON)
    with nothing_moves("django_session"):
        for path in (
            "find",
            f"second/{asked.public_id}/decide",
            f"reveal/{order.person.public_id}",
            f"do/{order.public_id}/pause",
            "merchants/new",
            "files/new?table=orders.order&as=csv&look=",
            "own/confirm",
            "login/",
        ):
            answer = boss.post(f"/ops/{path}", {"token": new_token(), "note": "🔋" * (HUGE // 4), "deed": "approve"})
            assert 400 <= answer.status_code < 500, (path, answer.status_code)
