"""The operations console shows every table and changes none."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import BinaryField, BooleanField, Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import services as accounts
from accounts.models import LocalMessage, Person, User
from billing.channels import bank_returns
from billing.channels.base import Taken
from billing.models import Callback, Deduction, Dispute, Instrument, Standing
from billing.services.answers import Evidence, answer_dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.instruments import limit_instrument, open_wallet
from billing.services.invoice import invoice_due
from billing.services.outage import begin_outage, end_outage
from billing.services.payout_accounts import Account, agree_payout_account, ask_payout_account
from billing.services.payouts import pay_out_due
from billing.services.refund import Asked, refund_order
from billing.services.returns import Parcel, open_return
from billing.services.settle import Report, settle_all
from billing.services.settlement import settle_due
from billing.services.wallets import top_up
from bnpl import urls
from credit import limits
from credit.rules import Grades
from credit.used import open_limit
from kernel import audit
from kernel.actor import Actor
from kernel.admin_site import VIEWERS, ByMode, ReadOnlyAdmin
from kernel.clock import live_now
from kernel.console_lists import COUNT_MAX, BoundedPaginator
from kernel.forms import first_time, new_token
from ledger import closing
from merchants import services as merchants
from office.queries.streams import STREAMS
from office.services import files, proposals, tally
from orders import services as orders
from orders.models import Order
from personal.models import Erasure
from personal.services import copying, export, proof
from portal.services import letters, team
from tests.architecture import HOUSE
from tests.billing.bench import deduction_of, paid
from tests.billing.statements import STRAY, taken_in, written
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan
from tests.office.waiting import be_seen_to
from tests.visiting import signed_in, words

assert urls.CONSOLE  # what takes two is registered there
MODELS = sorted((m for m in apps.get_models() if m._meta.app_label in HOUSE), key=lambda m: m._meta.label)
SHOWN = sorted(admin.site._registry, key=lambda m: m._meta.label)  # noqa: SLF001  there is no public way to list it
PHONE, NAME, NUMBER = "+8613812341234", "欧阳修远", "11010519491231002X"


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def life(power_bank: Shop) -> Order:
    """One order's life that leaves a row in every table of the house."""
    person = accounts.register_person(PHONE, realm_id=power_bank.realm_id, by=BY, at=NOON)
    accounts.verify_identity(person.id, NAME, NUMBER, by=BY, at=NOON)
    open_wallet(person, at=NOON)
    limit_instrument(person.id, person.instruments.get().id, yuan("50"), None, by=BY, at=NOON)
    top_up(person.id, yuan("20"), "bank 1", at=NOON)
    order = completed(power_bank, person, yuan("12.34"))
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    orders.resume_order(order.id, "hardship", by=BY, at=NOON)
    report = orders.report_problem(order.id, "other", "x", by=BY, at=NOON)
    orders.withdraw_concern(report.id, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    be_told_of_twice(Deduction.objects.get())
    refund_order(order.id, Asked(amount_minor=100, reason="x"), by=BY, at=NOON)
    begin_outage("sandbox", "maintenance", by=BY, at=NOON)
    end_outage("sandbox", "over", by=BY, at=NOON)
    Callback.objects.create(channel="sandbox", notify_id="n1", raw=b'{"number": "1"}', at=NOON)
    first_time(person.id, new_token(), "pay")
    work_for(power_bank)
    taken_in(power_bank, written([STRAY]))
    take_along(person)
    be_disputed(make_shop("另一家"))
    be_paid(power_bank)
    closing.close_days(power_bank.realm_id, at=NOON + timedelta(days=1))
    LocalMessage.objects.create(kind="sms", to=PHONE, text="123456 is your code")
    audit.record("viewed.person", about="per_1", by=BY, at=NOON)
    limits.change_limit(person.id, 100_000, "x", by=BY, at=NOON)
    open_limit(person.profile, "JPY", Grades(), at=NOON)
    proposals.propose("change_limit", person.public_id, {"limit": ["1"]}, "x", by=BY, at=NOON)
    merchants.note_check(power_bank.live.id, "website", passed=True, evidence="x", by=BY, at=NOON)
    be_listed()
    be_seen_to(power_bank)
    tally.take_stock(real=NOON)
    tally.count_batch(STREAMS["orders"], upto=live_now() + timedelta(seconds=1))
    return order


def be_told_of_twice(deduction: Deduction) -> None:
    """Another transaction is said to be the same debit."""
    again = Report(deduction.id, Taken("another", deduction.amount), "callback")
    settle_all([again], by=BY, at=NOON + timedelta(hours=1))


def work_for(power_bank: Shop) -> None:
    """A merchant's staff, their letters, and an address that hears of things."""
    hook, _secret = merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    merchants.ping_endpoint(power_bank.merchant.id, hook.id, by=BY, at=NOON)
    team.found_team(power_bank.live.id, "owner@example.com", "correct horse battery", by=BY, at=NOON)
    team.invite(power_bank.live.id, "viewer", phone=PHONE, by=BY, at=NOON)
    letters.ask_new_password("owner@example.com", at=NOON)


def take_along(person: Person) -> None:
    """A copy of one's data, a proof, and a wish to be forgotten."""
    export.ask_export(person.id, by=BY, at=NOON)
    copying.make_exports(at=NOON, seconds=60)
    proof.issue_proof(person.id, ["band"], 7, by=BY, at=NOON)
    Erasure.objects.create(realm_id=person.realm_id, person=person, asked_at=NOON, due_at=NOON + timedelta(days=7))


def be_listed() -> None:
    """A colleague has a list made into a file."""
    lister = accounts.create_staff("lister", "correct horse battery", roles=VIEWERS[:1], by=BY, at=NOON)
    files.ask_file(lister, "orders.order", "", "csv", language="en", at=NOON)
    files.make_files(at=NOON, seconds=60)


def be_disputed(shop: Shop) -> None:
    """Somebody else's bank takes back what it had paid."""
    bank_returns.take_back(deduction_of(paid(shop)).number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    open_return(paid(shop).id, Parcel(carrier="x", tracking_number="1", reason="x"), by=BY, at=NOON)
    answer_dispute(Dispute.objects.get().id, shop.merchant.id, Evidence(statement="x"), by=BY, at=NOON)


def be_paid(shop: Shop) -> None:
    """Two people agree where the merchant's money goes, and a day of it is settled and sent there."""
    account = Account(holder="x", bank="y", number="6222021234567890")
    asked = ask_payout_account(shop.merchant.id, account, by=BY, at=NOON)
    agree_payout_account(asked.id, by=Actor.system("another"), at=NOON)
    for days in (2, 3):
        settle_due(shop.realm_id, at=NOON + timedelta(days=days))
        pay_out_due(shop.realm_id, at=NOON + timedelta(days=days))
    settle_due(shop.realm_id, at=NOON + timedelta(days=20))
    invoice_due(shop.realm_id, at=NOON + timedelta(days=20))
    nothing = dict.fromkeys(("payable_minor", "pending_minor", "reserve_minor", "fees_minor", "credited_minor"), 0)
    Standing.objects.create(merchant=shop.merchant, currency="CNY", below=UUID(int=0), **nothing)  # a day from now


@pytest.fixture
def lin(db: None) -> User:
    return accounts.create_staff("lin", "correct horse battery", roles=["viewer", "auditor"], by=BY, at=NOON)


@pytest.fixture
def console(lin: User) -> Client:
    return signed_in(lin)


def test_every_table_of_the_house_is_shown() -> None:
    assert not [model._meta.label for model in MODELS if model not in SHOWN]


def test_who_may_look_is_who_accounts_says() -> None:
    assert VIEWERS == accounts.ROLES


def test_every_table_is_listed_and_read_and_nothing_of_it_changed(
    life: Order, console: Client, subtests: pytest.Subtests
) -> None:
    for model in SHOWN:
        with subtests.test(model._meta.label):
            listed_and_read_only(model, console)


def listed_and_read_only(model: type[Model], console: Client) -> None:
    shown = admin.site._registry[model]  # noqa: SLF001
    assert isinstance(shown, ReadOnlyAdmin)
    row = model._default_manager.first()
    assert row is not None, f"{model._meta.label} has no row: let `life` leave one"
    assert console.get(address(model, "changelist")).status_code == 200
    page = console.get(address(model, "change", row.pk))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    before = model._default_manager.count()
    assert console.post(address(model, "change", row.pk), {"name": "x"}).status_code == 403
    assert console.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.count() == before  # what else nobody may, the matrix says


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model._meta.label)
def test_a_list_asks_nothing_that_grows_with_its_table(model: type[Model]) -> None:
    shown = admin.site._registry[model]  # noqa: SLF001
    assert shown.show_full_result_count is False
    assert shown.paginator is BoundedPaginator
    for name in shown.list_filter:
        if name is ByMode:
            assert "realm_id" in {field.attname for field in model._meta.concrete_fields}
            continue
        assert isinstance(name, str)
        column: Any = model
        *way, last = name.split("__")
        for step in way:
            column = column._meta.get_field(step).related_model
        field = column._meta.get_field(last)
        assert field.choices or isinstance(field, BooleanField), f"{name} would list every value there is"


def test_a_list_costs_the_same_with_more_rows(power_bank: Shop, life: Order, console: Client) -> None:
    pages = [address(model, "changelist") for model in MODELS]
    for page in pages:
        console.get(page)  # what is remembered for a process is remembered now
    few = [questions(console, page) for page in pages]
    for _ in range(3):
        completed(power_bank, someone(power_bank), yuan("1"))
        accounts.create_staff(f"x{new_token()}", "correct horse battery", roles=["risk", "finance"], by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    assert [questions(console, page) for page in pages] == few


def questions(console: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert console.get(page).status_code == 200
    return len(asked)


def test_personal_data_stays_masked(life: Order, console: Client) -> None:
    person = life.person
    assert person.user
    pages = [
        console.get(address(Person, "change", person.pk)),
        console.get(address(Person, "changelist")),
        console.get(address(User, "change", person.user.pk)),
        console.get(address(User, "changelist")),
        console.get(address(LocalMessage, "changelist")),
        console.get(address(LocalMessage, "change", LocalMessage.objects.latest("at").pk)),
    ]
    for page in pages:
        body = page.content.decode()
        assert "138****1234" in body
        for clear in (PHONE, "13812341234", NAME, NUMBER, "123456 is", "memory", "pbkdf2", "md5$"):
            assert clear not in body, clear
    assert "欧阳**" in pages[0].content.decode()
    assert "110*************2X" in pages[0].content.decode()


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model._meta.label)
def test_no_bytes_are_shown(model: type[Model], rf: Any) -> None:
    shown = admin.site._registry[model]  # noqa: SLF001
    sealed = {f.name for f in model._meta.concrete_fields if isinstance(f, BinaryField)}
    assert not sealed & {*shown.get_fields(rf.get("/")), *shown.list_display}
    assert "token" not in shown.get_fields(rf.get("/")) or model is not Instrument


def test_an_order_is_found_by_any_of_its_names(life: Order, console: Client) -> None:
    def hits(model: type[Model], term: str) -> int:
        return int(console.get(address(model, "changelist"), {"q": term}).context["cl"].result_count)

    for term in (life.public_id, life.out_order_no, life.person.public_id, life.merchant.public_id):
        assert hits(Order, term) == 1, term
    assert hits(Deduction, life.public_id) == 1
    assert hits(Order, "ord_" + "0" * 32) == 0
    assert hits(Order, "nothing like it") == 0
    for model in MODELS:
        assert hits(model, "ord_" + "0" * 32) == 0, model


def test_only_colleagues_with_a_role_look(life: Order) -> None:
    person = life.person
    assert person.user
    stranger = signed_in(person.user)
    assert stranger.get("/ops/")["Location"].startswith("/ops/login/")
    assert stranger.get(address(Order, "changelist")).status_code == 302
    nobody = accounts.create_staff("new", "correct horse battery", roles=[], by=BY, at=NOON)
    assert signed_in(nobody).get(address(Order, "changelist")).status_code == 403
    assert "Orders" not in words(signed_in(nobody, "en").get("/ops/"))
    boss = User.objects.create_superuser("boss", "correct horse battery")
    assert signed_in(boss).get(address(Order, "changelist")).status_code == 200
    assert signed_in(boss).post(address(Order, "change", life.pk), {}).status_code == 403


def test_the_index_reads_the_roles_once(console: Client) -> None:
    assert questions(console, "/ops/") <= 8


def test_a_long_list_is_not_counted_to_its_end(db: None) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert BoundedPaginator(Order.objects.order_by("-id"), 50).count == 0
    assert f"LIMIT {COUNT_MAX}" in asked[0]["sql"]
