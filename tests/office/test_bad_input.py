"""Bad input in URLs and fields of console pages: refused or harmless, and nothing changes."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from django.test import Client

from kernel.clock import live_now
from kernel.forms import new_form_token
from office.models import Listing
from office.services import proposals
from office.services.list_exports import process_exports
from orders.models import Order
from tests.conftest import NOON, Shop, make_due_order, make_person, yuan
from tests.nonsense import NONSENSE
from tests.office.approval_helpers import PROPOSAL_TABLES, reloaded
from tests.office.test_proposals import named
from tests.unchanged import assert_unchanged

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
    return make_due_order(power_bank, make_person(power_bank), yuan("8"), due_at=NOON + timedelta(days=3))


@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:30])
def test_bad_input_breaks_no_console_page(value: str, order: Order, console_client: Callable[..., Client]) -> None:
    supervisor = console_client("supervisor")
    asked = proposals.propose("write_off", order.public_id, {}, "x", by=named("supervisor"), at=NOON)
    given = dict.fromkeys(FIELDS, value)
    part = value.replace("\0", "%00").replace("\\", "%5C").replace("%_", "%25_")[:2_000]
    with assert_unchanged("django_session"):
        for page in LISTS[ODD.index(value) % 3 :: 3]:  # each is asked for four of them
            answer = supervisor.get(f"/ops/{page}", given)
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
            for answer in (supervisor.get(f"/ops/{path}"), supervisor.post(f"/ops/{path}", given)):
                assert answer.status_code in (302, 404, 405), (path, answer.status_code)
    with assert_unchanged(*PROPOSAL_TABLES, "kernel_auditline", "kernel_audithead"):
        for path in ("find", f"second/{asked.public_id}/decide", f"reveal/{order.person.public_id}"):
            assert supervisor.post(f"/ops/{path}", given | {"token": new_form_token()}).status_code in (
                200,
                302,
                403,
                404,
                422,
            ), path
        for verb in ("move_date", "refund", "mark_paid", "lower_total", "pause"):
            answer = supervisor.post(f"/ops/do/{order.public_id}/{verb}", given | {"token": new_form_token()})
            assert answer.status_code in (404, 422), (verb, answer.status_code)
    assert reloaded(asked).state == "open"


@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:30])
def test_bad_input_onboards_nobody_and_creates_no_file(value: str, console_client: Callable[..., Client]) -> None:
    supervisor, given = console_client("supervisor"), dict.fromkeys(FIELDS, value)
    with assert_unchanged("django_session", "mfa_authenticator"):
        for path in ("own/confirm", "own/app", "own/passkey", "own/codes"):
            assert supervisor.post(f"/ops/{path}", given | {"token": new_form_token()}).status_code in (302, 422), path
        assert Client().post("/ops/login/", given).status_code in (200, 422)
        assert supervisor.post("/ops/colleagues/new", given | {"token": new_form_token()}).status_code == 422
    with assert_unchanged("kernel_auditline", "kernel_audithead"):
        assert Client().post("/ops/login/join", given).status_code == 422
    files = (
        ("orders.order", "csv", f"q={quote(value[:500])}"),
        ("orders.order", "xlsx", value[:500]),
        (value, value, value),
    )
    for table, kind, look in files:
        path = f"/ops/files/new?{urlencode({'table': table, 'as': kind, 'look': look})}"
        assert supervisor.get(path).status_code in (200, 302, 403, 404), path
        assert supervisor.post(path, {"note": value, "token": new_form_token()}).status_code in (
            302,
            403,
            404,
            409,
            422,
        ), path
    made = process_exports(at=live_now(), seconds=5)
    assert made <= 1, "what was asked for, if it was a list at all, is an empty one"
    assert not Listing.objects.filter(next_at__isnull=False).exists()
    taken_in = supervisor.post("/ops/merchants/new", given | {"email": "wang@example.com", "token": new_form_token()})
    assert taken_in.status_code in (302, 422)
    assert b"<script>alert" not in supervisor.get("/ops/merchants/").content


def test_ten_megabytes_are_refused_by_every_console_page(order: Order, console_client: Callable[..., Client]) -> None:
    supervisor = console_client("supervisor")
    asked = proposals.propose("write_off", order.public_id, {}, "x", by=named("supervisor"), at=NOON)
    with assert_unchanged("django_session"):
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
            answer = supervisor.post(
                f"/ops/{path}", {"token": new_form_token(), "note": "🔋" * (HUGE // 4), "deed": "approve"}
            )
            assert 400 <= answer.status_code < 500, (path, answer.status_code)
