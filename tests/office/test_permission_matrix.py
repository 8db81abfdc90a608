"""Who may see and do what at the console: every table, page, verb and decision, for every role, written down by hand.

Whatever is new and not named here fails.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory

from accounts import colleagues
from billing.channels import bank_disputes
from billing.models import Break, Case, PayoutAccount
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import Chargeback, record_chargeback
from billing.services.payout_accounts import AccountDetails, request_payout_account
from billing.services.return_decisions import refuse_return
from billing.services.returns import Parcel, open_return
from bnpl.urls import CONSOLE_URLS
from credit import limits
from kernel.admin_site import VIEWERS
from kernel.console_actions import ROW_ACTIONS
from kernel.maker_checker import APPROVAL_TYPES
from merchants import services as merchants
from office.models import Proposal
from office.queues import QUEUES
from office.services import proposals
from orders import services as orders
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.billing.statements import STRAY, import_file, statement_of
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.console.conftest import staff
from tests.office.merchant_fixtures import merchant_at
from tests.office.permission_matrix import (
    ACTIONS,
    ALL,
    APPROVERS,
    OWN_PAGES,
    PAGES,
    POST_PAGES,
    QUEUE_GROUPS,
    RESTRICTED_TABLES,
    TABLES,
)
from tests.unchanged import assert_unchanged


@pytest.fixture
def rows(power_bank: Shop) -> Mapping[str, str]:
    """One row of each kind that something can be done to."""
    owing = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("8"), due_at=NOON + timedelta(days=3))
    freeze_clock(NOON, owing.person)
    late = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("9"), at=NOON - timedelta(days=10))
    lost = make_due_order(power_bank, make_person(power_bank, "timeout_then_not_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON, limit=9)
    poor = make_due_order(power_bank, make_person(power_bank), yuan("7"), due_at=NOON + timedelta(days=3))
    limits.change_limit(poor.person_id, 0, "x", by=BY, at=NOON)
    wish = orders.OrderRequest(agreement_id=poor.agreement_id, out_order_no="no", title="x", currency="CNY")
    refused = orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON).decision
    objection = orders.object_to_decision(refused.id, poor.person_id, "x", by=BY, at=NOON)
    account = AccountDetails(holder="x", bank="y", number="6222021234567890")
    request_payout_account(power_bank.merchant.id, account, by=BY, at=NOON)
    import_file(power_bank, statement_of([STRAY]))
    proposals.propose("write_off", owing.public_id, {}, "x", by=BY, at=NOON)
    problem = orders.report_problem(owing.id, "other", "x", by=BY, at=NOON)
    hardship = orders.request_plan(poor.person_id, None, orders.PlanOffer(2, 7), "x", by=BY, at=NOON)
    taken, disputed = (latest_deduction_of(paid_order(power_bank)) for _ in range(2))
    bank_disputes.reverse_debit(disputed.number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    record_chargeback(taken.id, Chargeback("x-1", yuan("7"), "no_funds"), by=BY, at=NOON)
    endpoint, _secret = merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    parcel = Parcel(carrier="x", tracking_number="1", reason="x")
    returned, _fresh = open_return(paid_order(power_bank).id, parcel, by=BY, at=NOON)
    refuse_return(returned.id, "x", by=BY, at=NOON)
    found: dict[str, Any] = {
        "returned": returned,
        "taken": taken,
        "dispute": disputed.disputes.get(),
        "order": owing,
        "agreement": owing.agreement,
        "person": owing.person,
        "unknown": latest_deduction_of(lost),
        "problem": problem,
        "hardship": hardship,
        "objection": objection,
        "merchant": power_bank.merchant,
        **{name: merchant_at(name) for name in ("newcomer", "checked", "approved", "suspended")},
        "live": power_bank.live,
        "service": power_bank.service,
        "account": PayoutAccount.objects.get(),
        "break": Break.objects.get(),
        "case": Case.objects.get(),
        "late": late.person,
        "endpoint": endpoint,
        "proposal": Proposal.objects.get(),
        "colleague": staff("viewer", name="wang"),
        "awaited": colleagues.add_colleague("chen", ["viewer"], by=BY, at=NOON)[0],
        "gone": colleagues.deactivate(staff("viewer", name="zhou").pk, by=BY, at=NOON),
    }
    return {name: row.public_id for name, row in found.items()}


@pytest.fixture
def desks(console_client: Callable[..., Client]) -> Mapping[str, Client]:
    return {role: console_client(role) for role in VIEWERS}


def addressed(name: str, way: Mapping[str, str], rows: Mapping[str, str]) -> str:
    route = next(str(page.pattern) for page in CONSOLE_URLS if page.name == name)
    for part, value in way.items():
        route = route.replace(f"<str:{part}>", value.format(**rows))
    return f"/ops/{route}" + (f"?{way['?']}" if "?" in way else "")


def test_nothing_is_missing_here() -> None:
    shown = {model._meta.label for model in admin.site._registry}  # noqa: SLF001  there is no public way to list it
    assert shown == TABLES
    assert {page.name for page in CONSOLE_URLS} == {*PAGES, *POST_PAGES, *OWN_PAGES, "verb"}
    assert {verb.name for verb in ROW_ACTIONS} == set(ACTIONS)
    assert set(APPROVAL_TYPES) == set(APPROVERS)


def test_tables_are_read_by_whom_they_are_for_and_changed_by_nobody(db: None) -> None:
    people: dict[str, Any] = {role: staff(role) for role in VIEWERS}
    people |= {"nobody": staff(name="nobody"), "stranger": AnonymousUser()}
    wrong = []
    for model, shown in admin.site._registry.items():  # noqa: SLF001
        for role, user in people.items():
            request = RequestFactory().get("/")
            request.user = user
            may = role in RESTRICTED_TABLES.get(model._meta.label, ALL)
            cells = {
                "view": shown.has_view_permission(request) is may,
                "index": shown.has_module_permission(request) is may,
                "add": not shown.has_add_permission(request),
                "change": not shown.has_change_permission(request),
                "delete": not shown.has_delete_permission(request),
                "actions": not shown.get_actions(request),
            }
            wrong += [(model._meta.label, role, cell) for cell, right in cells.items() if not right]
    assert wrong == []


def test_every_table_and_row_is_opened_by_whom_it_is_for(desks: Mapping[str, Client]) -> None:
    """A row that is not there leads back to its list, for whoever may look; everybody else is turned away before.

    What everybody reads is opened by one of them in turn: the cells above ask for all.
    """
    wrong = []
    for number, model in enumerate(admin.site._registry):  # noqa: SLF001
        meta = model._meta
        turn = VIEWERS if meta.label in RESTRICTED_TABLES else [VIEWERS[number % len(VIEWERS)]]
        for role in turn:
            answer = desks[role].get(f"/ops/{meta.app_label}/{meta.model_name}/{'0' * 32}/change/")
            expected = 302 if role in RESTRICTED_TABLES.get(meta.label, ALL) else 403
            wrong += [(meta.label, role, answer.status_code)] if answer.status_code != expected else []
    assert wrong == []


def test_every_page_is_opened_by_whom_it_is_for(rows: Mapping[str, str], desks: Mapping[str, Client]) -> None:
    wrong = []
    for name, (way, roles) in PAGES.items():
        for role, client in desks.items():
            status = client.get(addressed(name, way, rows)).status_code
            wrong += [(name, role, status)] if status != (200 if role in roles else 403) else []
    for name, (way, roles) in POST_PAGES.items():
        for role, client in desks.items():
            status = client.post(addressed(name, way, rows), {"deed": "approve", "q": "x"}).status_code
            wrong += [(name, role, status)] if (status == 403) is (role in roles) else []
    assert wrong == []


def test_every_verb_is_done_by_whom_it_is_for(rows: Mapping[str, str], desks: Mapping[str, Client]) -> None:
    wrong = []
    with assert_unchanged("django_session"):
        for name, (row, roles) in ACTIONS.items():
            for role, client in desks.items() if row else ():
                path = f"/ops/do/{rows[row]}/{name}"
                status = client.get(path).status_code
                wrong += [(name, role, status)] if status != (200 if role in roles else 403) else []
                if role not in roles:
                    assert client.post(path, {"note": "x", "token": "0" * 24}).status_code == 403
    assert wrong == []
    for verb in ROW_ACTIONS:
        assert set(verb.groups) == ACTIONS[verb.name][1], verb.name


def test_every_decision_is_made_by_whom_it_is_for() -> None:
    assert {name: set(matter.approvers) for name, matter in APPROVAL_TYPES.items()} == APPROVERS


def test_every_queue_is_of_those_who_decide_what_is_in_it(desks: Mapping[str, Client]) -> None:
    assert {name: set(queue.groups) for name, queue in QUEUES.items()} == QUEUE_GROUPS
    wrong = []
    for name, roles in QUEUE_GROUPS.items():
        for role, client in desks.items():
            status = client.get(f"/ops/queues/{name}").status_code
            wrong += [(name, role, status)] if status != (200 if role in roles else 403) else []
    assert wrong == []


def test_strangers_sign_in_and_the_roleless_are_turned_away(rows: Mapping[str, str]) -> None:
    stranger, nobody = Client(), Client()
    nobody.force_login(staff(name="nobody"), backend="django.contrib.auth.backends.ModelBackend")
    paths = [addressed(name, way, rows) for name, (way, _roles) in PAGES.items()]
    paths += [f"/ops/do/{rows[row]}/{name}" for name, (row, _roles) in ACTIONS.items() if row]
    for path in paths:
        assert stranger.get(path)["Location"].startswith("/ops/login/"), path
        assert nobody.get(path).status_code == 403, path
