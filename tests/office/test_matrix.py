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

from billing.channels import bank_returns
from billing.models import Break, PayoutAccount
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.payout_accounts import Account, ask_payout_account
from bnpl.urls import CONSOLE
from credit import limits
from kernel.admin_site import VIEWERS
from kernel.desk import VERBS
from kernel.second import MATTERS
from office.models import Proposal
from office.services import proposals
from orders import services as orders
from tests.billing.bench import deduction_of, paid
from tests.billing.statements import STRAY, taken_in, written
from tests.conftest import BY, NOON, Shop, completed, someone, yuan
from tests.console.conftest import staff
from tests.stillness import nothing_moves
from tests.visiting import it_is

ALL = set(VIEWERS)
VIEWER, SUPPORT, COLLECTIONS, RISK, FINANCE, SUPERVISOR, AUDITOR = VIEWERS
#: Of all tables, those that not everybody reads.
TABLES_OF = {"kernel.AuditLine": {AUDITOR, SUPERVISOR}, "kernel.AuditHead": {AUDITOR, SUPERVISOR}}
#: Every table there is, so that a new one is thought about.
# fmt: off
TABLES = {
    "accounts.AccountEvent", "accounts.Delivery", "accounts.LocalMessage", "accounts.Notice",
    "accounts.NoticeTemplate", "accounts.Person", "accounts.User", "auth.Group", "billing.Break",
    "billing.Callback", "billing.Case", "billing.ChannelReport", "billing.Deduction", "billing.DeductionEvent",
    "billing.DeductionLine", "billing.Dispute", "billing.DisputeEvent", "billing.DisputeLine",
    "billing.Instrument", "billing.InstrumentChange", "billing.Invoice", "billing.InvoiceLine", "billing.Outage",
    "billing.Payout",
    "billing.PayoutAccount", "billing.PayoutAccountEvent", "billing.PayoutEvent", "billing.Refund",
    "billing.RefundEvent", "billing.RefundPart", "billing.RefundPartEvent", "billing.RetryPolicy",
    "billing.Settlement", "billing.SettlementEvent", "billing.SettlementLine", "billing.StatementFile",
    "billing.StatementLine", "billing.Wallet", "billing.WalletEntry", "credit.Agreement", "credit.AgreementEvent",
    "credit.Decision", "credit.LimitChange", "credit.Profile", "credit.ScoreChange", "kernel.AuditHead",
    "kernel.AuditLine", "kernel.IdempotencyKey", "kernel.LegalMove", "kernel.Realm", "ledger.Posting",
    "ledger.Closing", "ledger.ClosedBalance", "ledger.ClosedDay", "ledger.ClosedPart",
    "merchants.ApiKey", "merchants.WebhookAttempt", "merchants.Event", "merchants.Merchant",
    "merchants.Change", "merchants.Service", "merchants.WebhookDelivery", "merchants.WebhookEndpoint",
    "office.Counted", "office.Proposal", "office.ProposalEvent", "office.Tally", "orders.Concern",
    "orders.ConcernEvent", "orders.EasePolicy", "orders.Message", "orders.Obligation", "orders.ObligationEvent",
    "orders.Order", "orders.OrderEvent", "orders.Pause", "orders.Plan", "personal.Erasure", "personal.Export",
    "personal.ExportPiece", "personal.Proof", "portal.Invitation", "portal.Letter", "portal.Member",
}
# fmt: on
#: Every page of the console by its name, with what stands in its address, and who opens it.
PAGES: dict[str, tuple[dict[str, str], set[str]]] = {
    "work": ({}, ALL),
    "system": ({}, ALL),
    "book": ({}, ALL),
    "book_account": ({"?": "code=fees&first=2026-11-20&last=2026-11-21"}, ALL),
    "order_desk": ({"order": "{order}"}, ALL),
    "figures": ({}, ALL),
    "figure_rows": ({"?": "metric=order&key=opened"}, ALL),
    "figure_table": ({"name": "orders"}, ALL),
    "help_desk": ({}, ALL),
    "concern_desk": ({"concern": "{problem}"}, ALL),
    "ease_policy": ({}, {SUPERVISOR}),
    "policies": ({}, ALL),
    "new_policy": ({}, {SUPERVISOR, RISK}),
    "publish_policy": ({"name": "standard"}, {SUPERVISOR, RISK}),
    "outages": ({}, ALL),
    "begin_outage": ({"channel": "sandbox"}, {COLLECTIONS, RISK, SUPERVISOR}),
    "end_outage": ({"channel": "sandbox"}, {COLLECTIONS, RISK, SUPERVISOR}),
    "templates": ({}, {SUPERVISOR, SUPPORT}),
    "template": ({"key": "debit_failed", "language": "zh-hans"}, {SUPERVISOR, SUPPORT}),
    "reveal": ({"person": "{person}"}, {SUPPORT, COLLECTIONS, RISK, SUPERVISOR}),
    "proposals": ({}, ALL),
    "proposal": ({"proposal": "{proposal}"}, ALL),
}
#: Pages that only take what is sent to them: who may, the others being turned away.
SENT: dict[str, tuple[dict[str, str], set[str]]] = {
    "find": ({}, ALL),
    "decide": ({"proposal": "{proposal}"}, {SUPERVISOR}),
}
CLOCK, HELP, MONEY = {COLLECTIONS, SUPPORT, SUPERVISOR}, {SUPPORT, SUPERVISOR}, {FINANCE, SUPERVISOR}
#: Every verb, on which of the rows below (none where that takes a channel or an account that no sandbox has), and who
#: does it or asks for it.
DEEDS: dict[str, tuple[str, set[str]]] = {
    "pause": ("order", CLOCK),
    "resume": ("order", CLOCK),
    "collect": ("order", {COLLECTIONS, SUPERVISOR}),
    "write_off": ("order", {COLLECTIONS, SUPERVISOR}),
    "move_date": ("order", CLOCK),
    "waive_fees": ("order", CLOCK),
    "lower_total": ("order", HELP),
    "cancel": ("order", HELP),
    "mark_paid": ("order", HELP | MONEY),
    "refund": ("order", HELP | MONEY),
    "resolve": ("unknown", MONEY),
    "taken_back": ("taken", MONEY),
    "contest": ("dispute", MONEY),
    "accept": ("dispute", MONEY),
    "won": ("", MONEY),
    "lost": ("", MONEY),
    "answer": ("problem", CLOCK),
    "close": ("problem", CLOCK),
    "lower": ("problem", HELP),
    "call_off": ("problem", HELP),
    "grant": ("hardship", {COLLECTIONS, SUPERVISOR}),
    "refuse": ("hardship", {COLLECTIONS, SUPERVISOR}),
    "uphold": ("objection", {RISK, SUPERVISOR}),
    "judge_again": ("objection", {RISK, SUPERVISOR}),
    "change_roles": ("colleague", {SUPERVISOR}),
    "forget_second": ("", {SUPERVISOR}),
    "change_limit": ("person", {RISK, SUPERVISOR}),
    "move_cutoff": ("merchant", MONEY),
    "hold_reserve": ("merchant", MONEY),
    "agree_account": ("account", MONEY),
    "refuse_account": ("account", MONEY),
    "suspense": ("break", MONEY),
    "nothing": ("break", MONEY),
}
#: Who may agree, as the second of two.
DECIDES = {
    "write_off": {SUPERVISOR},
    "waive_fees": {SUPERVISOR},
    "refund": MONEY,
    "resolve": MONEY,
    "suspense": MONEY,
    "nothing": MONEY,
    "change_limit": {RISK, SUPERVISOR},
    "change_roles": {SUPERVISOR},
    "retry_policy": {RISK, SUPERVISOR},
    "ease_policy": {SUPERVISOR},
}


@pytest.fixture
def rows(power_bank: Shop) -> Mapping[str, str]:
    """One row of each kind that something can be done to."""
    owing = completed(power_bank, someone(power_bank, "no_funds"), yuan("8"), due_at=NOON + timedelta(days=3))
    it_is(NOON, owing.person)
    lost = completed(power_bank, someone(power_bank, "timeout_then_not_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    poor = completed(power_bank, someone(power_bank), yuan("7"), due_at=NOON + timedelta(days=3))
    limits.change_limit(poor.person_id, 0, "x", by=BY, at=NOON)
    wish = orders.Wish(agreement_id=poor.agreement_id, out_order_no="no", title="x", currency="CNY")
    refused = orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON).decision
    objection = orders.object_to(refused.id, poor.person_id, "x", by=BY, at=NOON)
    account = Account(holder="x", bank="y", number="6222021234567890")
    ask_payout_account(power_bank.merchant.id, account, by=BY, at=NOON)
    taken_in(power_bank, written([STRAY]))
    proposals.propose("write_off", owing.public_id, {}, "x", by=BY, at=NOON)
    problem = orders.report_problem(owing.id, "other", "x", by=BY, at=NOON)
    hardship = orders.ask_for_help(poor.person_id, None, orders.Offer(2, 7), "x", by=BY, at=NOON)
    taken, disputed = (deduction_of(paid(power_bank)) for _ in range(2))
    bank_returns.take_back(disputed.number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    found: dict[str, Any] = {
        "taken": taken,
        "dispute": disputed.disputes.get(),
        "order": owing,
        "person": owing.person,
        "unknown": deduction_of(lost),
        "problem": problem,
        "hardship": hardship,
        "objection": objection,
        "merchant": power_bank.merchant,
        "account": PayoutAccount.objects.get(),
        "break": Break.objects.get(),
        "proposal": Proposal.objects.get(),
        "colleague": staff("viewer", name="wang"),
    }
    return {name: row.public_id for name, row in found.items()}


@pytest.fixture
def desks(at_desk: Callable[..., Client]) -> Mapping[str, Client]:
    return {role: at_desk(role) for role in VIEWERS}


def addressed(name: str, way: Mapping[str, str], rows: Mapping[str, str]) -> str:
    route = next(str(page.pattern) for page in CONSOLE if page.name == name)
    for part, value in way.items():
        route = route.replace(f"<str:{part}>", value.format(**rows))
    return f"/ops/{route}" + (f"?{way['?']}" if "?" in way else "")


def test_nothing_is_missing_here() -> None:
    shown = {model._meta.label for model in admin.site._registry}  # noqa: SLF001  there is no public way to list it
    assert shown == TABLES
    assert {page.name for page in CONSOLE} == {*PAGES, *SENT, "verb"}
    assert {verb.name for verb in VERBS} == set(DEEDS)
    assert set(MATTERS) == set(DECIDES)


def test_tables_are_read_by_whom_they_are_for_and_changed_by_nobody(db: None) -> None:
    people: dict[str, Any] = {role: staff(role) for role in VIEWERS}
    people |= {"nobody": staff(name="nobody"), "stranger": AnonymousUser()}
    wrong = []
    for model, shown in admin.site._registry.items():  # noqa: SLF001
        for role, user in people.items():
            request = RequestFactory().get("/")
            request.user = user
            may = role in TABLES_OF.get(model._meta.label, ALL)
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
        turn = VIEWERS if meta.label in TABLES_OF else [VIEWERS[number % len(VIEWERS)]]
        for role in turn:
            answer = desks[role].get(f"/ops/{meta.app_label}/{meta.model_name}/{'0' * 32}/change/")
            expected = 302 if role in TABLES_OF.get(meta.label, ALL) else 403
            wrong += [(meta.label, role, answer.status_code)] if answer.status_code != expected else []
    assert wrong == []


def test_every_page_is_opened_by_whom_it_is_for(rows: Mapping[str, str], desks: Mapping[str, Client]) -> None:
    wrong = []
    for name, (way, roles) in PAGES.items():
        for role, client in desks.items():
            status = client.get(addressed(name, way, rows)).status_code
            wrong += [(name, role, status)] if status != (200 if role in roles else 403) else []
    for name, (way, roles) in SENT.items():
        for role, client in desks.items():
            status = client.post(addressed(name, way, rows), {"deed": "approve", "q": "x"}).status_code
            wrong += [(name, role, status)] if (status == 403) is (role in roles) else []
    assert wrong == []


def test_every_verb_is_done_by_whom_it_is_for(rows: Mapping[str, str], desks: Mapping[str, Client]) -> None:
    wrong = []
    with nothing_moves("django_session"):
        for name, (row, roles) in DEEDS.items():
            for role, client in desks.items() if row else ():
                path = f"/ops/do/{rows[row]}/{name}"
                status = client.get(path).status_code
                wrong += [(name, role, status)] if status != (200 if role in roles else 403) else []
                if role not in roles:
                    assert client.post(path, {"note": "x", "token": "0" * 24}).status_code == 403
    assert wrong == []
    for verb in VERBS:
        assert set(verb.groups) == DEEDS[verb.name][1], verb.name


def test_every_decision_is_made_by_whom_it_is_for() -> None:
    assert {name: set(matter.deciders) for name, matter in MATTERS.items()} == DECIDES


def test_strangers_sign_in_and_the_roleless_are_turned_away(rows: Mapping[str, str]) -> None:
    stranger, nobody = Client(), Client()
    nobody.force_login(staff(name="nobody"), backend="django.contrib.auth.backends.ModelBackend")
    paths = [addressed(name, way, rows) for name, (way, _roles) in PAGES.items()]
    paths += [f"/ops/do/{rows[row]}/{name}" for name, (row, _roles) in DEEDS.items() if row]
    for path in paths:
        assert stranger.get(path)["Location"].startswith("/ops/login/"), path
        assert nobody.get(path).status_code == 403, path
