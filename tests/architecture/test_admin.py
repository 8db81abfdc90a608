"""The operations console shows every table and changes none."""

from datetime import timedelta
from typing import Any

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
from billing.models import Callback, Deduction, Instrument
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet, set_instrument_limits
from billing.services.outage import begin_outage, end_outage
from billing.services.refunds import RefundDetails, refund_order
from billing.services.wallets import top_up
from bnpl import urls
from credit import limits
from credit.rules import LimitTerms
from credit.usage import open_currency_limit
from kernel import audit
from kernel.admin_site import VIEWERS, ModeFilter, ReadOnlyAdmin
from kernel.clock import live_now
from kernel.console_lists import COUNT_MAX, BoundedPaginator
from kernel.forms import claim_token, new_form_token
from ledger import closing
from merchants import services as merchants
from office.queries.streams import STREAMS
from office.services import proposals, tally
from orders import services as orders
from orders.models import Order
from tests.architecture import OWN_APPS
from tests.architecture.console_rows import (
    PHONE,
    create_dispute,
    create_list_export,
    create_merchant_staff,
    create_payout,
    create_personal_rows,
    report_second_transaction,
)
from tests.billing.statements import STRAY, import_file, statement_of
from tests.browsing import signed_in_client, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan
from tests.office.queue_fixtures import handle_an_item

assert urls.CONSOLE_URLS  # registers the approval types
MODELS = sorted((m for m in apps.get_models() if m._meta.app_label in OWN_APPS), key=lambda m: m._meta.label)
REGISTERED = sorted(admin.site._registry, key=lambda m: m._meta.label)  # noqa: SLF001  there is no public way to list it
NAME, NUMBER = "欧阳修远", "11010519491231002X"


def admin_url(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def full_order(power_bank: Shop) -> Order:
    """An order whose steps leave a row in every one of our tables."""
    person = accounts.register_person(PHONE, realm_id=power_bank.realm_id, by=BY, at=NOON)
    accounts.verify_identity(person.id, NAME, NUMBER, by=BY, at=NOON)
    open_wallet(person, at=NOON)
    set_instrument_limits(person.id, person.instruments.get().id, yuan("50"), None, by=BY, at=NOON)
    top_up(person.id, yuan("20"), "bank 1", at=NOON)
    order = make_due_order(power_bank, person, yuan("12.34"))
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    orders.resume_order(order.id, "hardship", by=BY, at=NOON)
    report = orders.report_problem(order.id, "other", "x", by=BY, at=NOON)
    orders.withdraw_concern(report.id, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    report_second_transaction(Deduction.objects.get())
    refund_order(order.id, RefundDetails(amount_minor=100, reason="x"), by=BY, at=NOON)
    begin_outage("sandbox", "maintenance", by=BY, at=NOON)
    end_outage("sandbox", "over", by=BY, at=NOON)
    Callback.objects.create(channel="sandbox", notify_id="n1", raw=b'{"number": "1"}', at=NOON)
    claim_token(person.id, new_form_token(), "pay")
    create_merchant_staff(power_bank)
    import_file(power_bank, statement_of([STRAY]))
    create_personal_rows(person)
    create_dispute(make_shop("另一家"))
    create_payout(power_bank)
    closing.close_days(power_bank.realm_id, at=NOON + timedelta(days=1))
    LocalMessage.objects.create(kind="sms", to=PHONE, text="123456 is your code")
    audit.record("viewed.person", about="per_1", by=BY, at=NOON)
    limits.change_limit(person.id, 100_000, "x", by=BY, at=NOON)
    open_currency_limit(person.profile, "JPY", LimitTerms(), at=NOON)
    proposals.propose("change_limit", person.public_id, {"limit": ["1"]}, "x", by=BY, at=NOON)
    merchants.record_check(power_bank.live.id, "website", passed=True, evidence="x", by=BY, at=NOON)
    create_list_export()
    handle_an_item(power_bank)
    tally.take_stock(real=NOON)
    tally.count_batch(STREAMS["orders"], until=live_now() + timedelta(seconds=1))
    return order


@pytest.fixture
def staff_user(db: None) -> User:
    return accounts.create_staff("lin", "correct horse battery", roles=["viewer", "auditor"], by=BY, at=NOON)


@pytest.fixture
def console(staff_user: User) -> Client:
    return signed_in_client(staff_user)


def test_every_own_model_is_registered() -> None:
    assert not [model._meta.label for model in MODELS if model not in REGISTERED]


def test_viewers_are_the_roles_of_accounts() -> None:
    assert VIEWERS == accounts.ROLES


def test_every_table_can_be_viewed_but_not_changed(
    full_order: Order, console: Client, subtests: pytest.Subtests
) -> None:
    for model in REGISTERED:
        with subtests.test(model._meta.label):
            check_read_only(model, console)


def check_read_only(model: type[Model], console: Client) -> None:
    model_admin = admin.site._registry[model]  # noqa: SLF001
    assert isinstance(model_admin, ReadOnlyAdmin)
    row = model._default_manager.first()
    assert row is not None, f"{model._meta.label} has no row: let `full_order` create one"
    assert console.get(admin_url(model, "changelist")).status_code == 200
    page = console.get(admin_url(model, "change", row.pk))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    before = model._default_manager.count()
    assert console.post(admin_url(model, "change", row.pk), {"name": "x"}).status_code == 403
    assert console.post(admin_url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.count() == before  # what else nobody may, the matrix says


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_lists_send_no_query_that_grows_with_the_table(model: type[Model]) -> None:
    model_admin = admin.site._registry[model]  # noqa: SLF001
    assert model_admin.show_full_result_count is False
    assert model_admin.paginator is BoundedPaginator
    for name in model_admin.list_filter:
        if name is ModeFilter:
            assert "realm_id" in {field.attname for field in model._meta.concrete_fields}
            continue
        assert isinstance(name, str)
        column: Any = model
        *way, last = name.split("__")
        for step in way:
            column = column._meta.get_field(step).related_model
        field = column._meta.get_field(last)
        assert field.choices or isinstance(field, BooleanField), f"{name} would list every value there is"


def test_a_list_costs_the_same_with_more_rows(power_bank: Shop, full_order: Order, console: Client) -> None:
    pages = [admin_url(model, "changelist") for model in MODELS]
    for page in pages:
        console.get(page)  # what is remembered for a process is remembered now
    few = [query_count(console, page) for page in pages]
    for _ in range(3):
        make_due_order(power_bank, make_person(power_bank), yuan("1"))
        accounts.create_staff(
            f"x{new_form_token()}", "correct horse battery", roles=["risk", "finance"], by=BY, at=NOON
        )
    deduct_due(power_bank.realm_id, at=NOON)
    assert [query_count(console, page) for page in pages] == few


def query_count(console: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert console.get(page).status_code == 200
    return len(asked)


def test_personal_data_stays_masked(full_order: Order, console: Client) -> None:
    person = full_order.person
    assert person.user
    pages = [
        console.get(admin_url(Person, "change", person.pk)),
        console.get(admin_url(Person, "changelist")),
        console.get(admin_url(User, "change", person.user.pk)),
        console.get(admin_url(User, "changelist")),
        console.get(admin_url(LocalMessage, "changelist")),
        console.get(admin_url(LocalMessage, "change", LocalMessage.objects.latest("at").pk)),
    ]
    for page in pages:
        body = page.content.decode()
        assert "138****1234" in body
        for clear in (PHONE, "13812341234", NAME, NUMBER, "123456 is", "memory", "pbkdf2", "md5$"):
            assert clear not in body, clear
    assert "欧阳**" in pages[0].content.decode()
    assert "110*************2X" in pages[0].content.decode()


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_no_bytes_are_shown(model: type[Model], rf: Any) -> None:
    model_admin = admin.site._registry[model]  # noqa: SLF001
    sealed = {f.name for f in model._meta.concrete_fields if isinstance(f, BinaryField)}
    assert not sealed & {*model_admin.get_fields(rf.get("/")), *model_admin.list_display}
    assert "token" not in model_admin.get_fields(rf.get("/")) or model is not Instrument


def test_an_order_is_found_by_any_of_its_ids(full_order: Order, console: Client) -> None:
    def hits(model: type[Model], term: str) -> int:
        return int(console.get(admin_url(model, "changelist"), {"q": term}).context["cl"].result_count)

    for term in (
        full_order.public_id,
        full_order.out_order_no,
        full_order.person.public_id,
        full_order.merchant.public_id,
    ):
        assert hits(Order, term) == 1, term
    assert hits(Deduction, full_order.public_id) == 1
    assert hits(Order, "ord_" + "0" * 32) == 0
    assert hits(Order, "nothing like it") == 0
    for model in MODELS:
        assert hits(model, "ord_" + "0" * 32) == 0, model


def test_only_colleagues_with_a_role_may_view(full_order: Order) -> None:
    person = full_order.person
    assert person.user
    stranger = signed_in_client(person.user)
    assert stranger.get("/ops/")["Location"].startswith("/ops/login/")
    assert stranger.get(admin_url(Order, "changelist")).status_code == 302
    nobody = accounts.create_staff("new", "correct horse battery", roles=[], by=BY, at=NOON)
    assert signed_in_client(nobody).get(admin_url(Order, "changelist")).status_code == 403
    assert "Orders" not in visible_text(signed_in_client(nobody, "en").get("/ops/"))
    supervisor = User.objects.create_superuser("boss", "correct horse battery")
    assert signed_in_client(supervisor).get(admin_url(Order, "changelist")).status_code == 200
    assert signed_in_client(supervisor).post(admin_url(Order, "change", full_order.pk), {}).status_code == 403


def test_the_index_reads_the_roles_once(console: Client) -> None:
    assert query_count(console, "/ops/") <= 8


def test_a_long_list_is_counted_up_to_a_limit(db: None) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert BoundedPaginator(Order.objects.order_by("-id"), 50).count == 0
    assert f"LIMIT {COUNT_MAX}" in asked[0]["sql"]
