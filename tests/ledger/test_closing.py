"""Closed ledger days take no more postings, and their content can be proved."""

from datetime import datetime, timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg2 import extensions

from bnpl.invariants import find_violations
from kernel.models import Realm
from ledger import closing, merkle
from ledger.accounts import FEES, Move, clearing, payable
from ledger.models import ClosedBalance, ClosedDay, ClosedPart, Closing, Posting
from ledger.services import JournalEntry, post
from ledger.statements import account_statement, daily_trial_balance
from merchants.models import Merchant
from tests.conftest import NOON, Shop, yuan
from tests.db_errors import NO_RIGHT, RESTRICT, execute_sql, raises_db_error
from tests.unchanged import assert_unchanged

ONE_DAY = timedelta(days=1)
#: An hour and a bit after the midnight in Shanghai that follows noon.
CLOSED = NOON + timedelta(hours=13, minutes=1)


def post_collection(shop: Shop, minor: int = 100, *, at: datetime = NOON, merchant: Merchant | None = None) -> Posting:
    owner = (merchant or shop.merchant).id
    moves = [Move(clearing("sandbox"), payable(owner), yuan(str(minor))), Move(payable(owner), FEES, yuan("1"))]
    return post([JournalEntry(uuid4(), "collected", moves)], realm_id=shop.realm_id, at=at)[0]


@pytest.mark.breaks_invariants
def test_a_day_is_closed_an_hour_after_its_end_and_once(power_bank: Shop) -> None:
    post_collection(power_bank)
    assert closing.close_days(power_bank.realm_id, at=CLOSED - timedelta(minutes=2)) == 0
    assert not ClosedDay.objects.exists()
    assert closing.close_days(power_bank.realm_id, at=CLOSED) == 1
    with assert_unchanged():
        assert closing.close_days(power_bank.realm_id, at=CLOSED) == 0
        assert closing.close_days(power_bank.realm_id, at=CLOSED + 9 * ONE_DAY) == 0, (
            "no day without postings is closed"
        )
    day = ClosedDay.objects.get()
    assert (day.covers_on.isoformat(), day.postings, day.previous) == ("2026-11-20", 2, "")


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-12-31T15:59:59.999999Z", "2026-12-31"),
        ("2026-12-31T16:00:00Z", "2027-01-01"),
        ("2027-02-28T16:00:00Z", "2027-03-01"),
        ("2028-02-28T16:00:00Z", "2028-02-29"),
        ("2028-02-29T15:59:59.999999Z", "2028-02-29"),
        ("2028-02-29T16:00:00Z", "2028-03-01"),
    ],
)
@pytest.mark.breaks_invariants
def test_a_day_ends_at_midnight_in_shanghai_where_months_and_years_do(power_bank: Shop, at: str, day: str) -> None:
    moment = datetime.fromisoformat(at)
    post_collection(power_bank, at=moment)
    assert closing.close_days(power_bank.realm_id, at=moment + timedelta(hours=25)) == 1
    found = ClosedDay.objects.get()
    assert (found.covers_on.isoformat(), closing.is_intact(found)) == (day, True)
    assert found.covers_from <= moment < found.covers_until


@pytest.mark.breaks_invariants
def test_a_posting_for_a_closed_day_moves_to_the_first_open_day(power_bank: Shop) -> None:
    post_collection(power_bank)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    late = post_collection(power_bank)
    stands = Posting.objects.get(pk=late.pk).at
    assert stands == Closing.objects.get().closed_until > NOON
    assert all(closing.is_intact(day) for day in ClosedDay.objects.all())
    assert post_collection(power_bank, at=CLOSED).at == CLOSED
    assert closing.close_days(power_bank.realm_id, at=CLOSED + ONE_DAY) == 1
    first, second = ClosedDay.objects.order_by("covers_on")
    assert (second.previous, second.postings) == (first.digest, 4)


CHANGES = (
    ("ledger_posting SET amount_minor = amount_minor + 1", "ledger_posting SET amount_minor = amount_minor - 1"),
    ("ledger_posting SET kind = 'completed'", "ledger_posting SET kind = 'collected'"),
    ("ledger_posting SET at = at + interval '1 s'", "ledger_posting SET at = at - interval '1 s'"),
    ("ledger_posting SET at = at - interval '9 d'", "ledger_posting SET at = at + interval '9 d'"),
    ("ledger_closedday SET digest = reverse(digest)", "ledger_closedday SET digest = reverse(digest)"),
    ("ledger_closedday SET previous = 'x'", "ledger_closedday SET previous = ''"),
    ("ledger_closedpart SET top = reverse(top)", "ledger_closedpart SET top = reverse(top)"),
)


@pytest.mark.breaks_invariants
@pytest.mark.django_db(transaction=True)
def test_a_superusers_change_to_a_closed_day_is_found(
    power_bank: Shop, superuser_connection: extensions.connection
) -> None:
    superuser_connection.autocommit = True
    for minor in (100, 200, 300):
        post_collection(power_bank, minor)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    with superuser_connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for change, undo in CHANGES:
            assert list(closing.find_tampered_days()) == []
            cursor.execute(f"UPDATE {change}")
            assert [day.covers_on.isoformat() for day in closing.find_tampered_days()] == ["2026-11-20"], change
            with pytest.raises(SystemExit):
                call_command("verify", stdout=StringIO())
            cursor.execute(f"UPDATE {undo}")


@pytest.mark.breaks_invariants
def test_a_closed_day_cannot_be_reopened(power_bank: Shop) -> None:
    post_collection(power_bank)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    with assert_unchanged(), raises_db_error(RESTRICT, "never_reopened"):
        execute_sql("UPDATE ledger_closing SET closed_until = closed_until - interval '1 day'")
    with assert_unchanged(), raises_db_error(NO_RIGHT):
        execute_sql("UPDATE ledger_closedday SET postings = 1")
    with assert_unchanged(), raises_db_error(NO_RIGHT):
        execute_sql("DELETE FROM ledger_closing")


@pytest.mark.breaks_invariants
def test_every_posting_of_a_closed_day_has_a_proof(power_bank: Shop, shop: Shop) -> None:
    other = power_bank.live
    rows = [post_collection(power_bank, minor) for minor in range(100, 107)]
    theirs = [post_collection(power_bank, minor, merchant=other) for minor in range(100, 103)]
    post_collection(shop)
    closing.close_days(power_bank.realm_id, at=CLOSED)
    still_open = post_collection(power_bank, at=CLOSED)
    for owner, postings in ((power_bank.merchant.id, [*rows, still_open]), (other.id, theirs)):
        found = closing.inclusion_proofs(power_bank.realm_id, owner, [(row.id, row.at) for row in postings])
        assert len(found) == len(postings) - (still_open in postings)
        for one in found.values():
            node = merkle.leaf_hash(one.line)
            for step in one.steps:
                node = merkle.node_hash(step.node, node) if step.side == "left" else merkle.node_hash(node, step.node)
            assert node.hex() == one.day.top
    assert {part.owner for part in ClosedPart.objects.filter(day__realm_id=power_bank.realm_id)} == {
        power_bank.merchant.id,
        other.id,
    }
    assert str(power_bank.merchant.id).replace("-", "") not in found.popitem()[1].line


def test_inclusion_paths_lead_to_the_root_for_any_tree_size() -> None:
    for size in range(1, 34):
        nodes = [merkle.leaf_hash(str(number)) for number in range(size)]
        for place in range(size):
            node = nodes[place]
            for step in merkle.inclusion_path(nodes, place):
                node = merkle.node_hash(step.node, node) if step.side == "left" else merkle.node_hash(node, step.node)
            assert node == merkle.root_hash(nodes)


@pytest.mark.breaks_invariants
def test_a_frozen_realm_closes_no_days(power_bank: Shop) -> None:
    post_collection(power_bank)
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=CLOSED)
    assert closing.close_books(real=CLOSED) == 0
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=None)
    assert closing.close_books(real=CLOSED) == 1


@pytest.mark.breaks_invariants
def test_a_realm_that_cannot_be_closed_does_not_stop_others(
    power_bank: Shop, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted((power_bank, shop), key=lambda one: one.realm_id)
    post_collection(first)
    post_collection(second)
    close_days = closing.close_days

    def fails_for_one(realm_id: int, *, at: datetime) -> int:
        if realm_id == first.realm_id:
            raise ValueError("of its own")
        return close_days(realm_id, at=at)

    monkeypatch.setattr(closing, "close_days", fails_for_one)
    with pytest.raises(ValueError, match="of its own"):
        closing.close_books(real=CLOSED)
    assert list(ClosedDay.objects.values_list("realm_id", flat=True)) == [second.realm_id]


@pytest.mark.breaks_invariants
def test_a_day_is_computed_from_the_last_closed_balances(power_bank: Shop) -> None:
    realm, days = power_bank.realm_id, [NOON + number * ONE_DAY for number in range(5)]
    for at in (days[0], days[1], days[3]):
        post_collection(power_bank, at=at)
    spans = [(closing.start_of_day(at), closing.start_of_day(at) + ONE_DAY) for at in days]
    before = (
        [daily_trial_balance(realm, *span) for span in spans],
        account_statement(realm, "fees", None, *spans[4]).before,
    )
    closing.close_days(realm, at=days[2] + ONE_DAY)

    assert ClosedBalance.objects.count() == 2 * 3, "three accounts for each of two days"
    assert (
        [daily_trial_balance(realm, *span) for span in spans],
        account_statement(realm, "fees", None, *spans[4]).before,
    ) == before
    with CaptureQueriesContext(connection) as asked:
        daily_trial_balance(realm, *spans[4])
    assert len(asked) == 1
    assert [row.name for row in find_violations() if "balances" in row.name] == []


@pytest.mark.breaks_invariants
def test_verify_notices_changed_and_removed_balances(
    power_bank: Shop, superuser_connection: extensions.connection
) -> None:
    for days in range(3):
        post_collection(power_bank, at=NOON + days * ONE_DAY)
    closing.close_days(power_bank.realm_id, at=CLOSED + 2 * ONE_DAY)
    second = str(ClosedDay.objects.order_by("covers_on")[1].pk)
    for words in (
        "UPDATE ledger_closedbalance SET stands_minor = stands_minor + 1 WHERE day_id = %s AND code = 'fees'",
        "DELETE FROM ledger_closedbalance WHERE day_id = %s AND code = 'fees'",
    ):
        with superuser_connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(words, [second])
            cursor.execute("SET session_replication_role = origin")
        assert {row.name for row in find_violations()} >= {"closed_balances_match_postings"}, words
