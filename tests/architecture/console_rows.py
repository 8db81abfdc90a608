"""Creates rows for tables that a plain order leaves empty, so that the console has something to show."""

from datetime import timedelta
from uuid import UUID

from accounts import services as accounts
from accounts.models import Person
from billing.channels import bank_disputes
from billing.channels.base import Succeeded
from billing.models import Deduction, Dispute, Standing
from billing.services.callbacks import deliver_callbacks
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.dispute_evidence import Evidence, submit_evidence
from billing.services.invoices import issue_due_invoices
from billing.services.payout_accounts import AccountDetails, approve_payout_account, request_payout_account
from billing.services.payouts import pay_out_due
from billing.services.returns import Parcel, open_return
from billing.services.settlements import settle_due
from kernel.actor import Actor
from kernel.admin_site import VIEWERS
from merchants import services as merchants
from office.services import list_exports
from personal.models import Erasure
from personal.services import export_builder, exports, proofs
from portal.services import letters, team
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.conftest import BY, NOON, Shop

PHONE = "+8613812341234"


def report_second_transaction(deduction: Deduction) -> None:
    """Report a second transaction for the same deduction."""
    again = DeductionReport(deduction.id, Succeeded("another", deduction.amount), "callback")
    settle_all([again], by=BY, at=NOON + timedelta(hours=1))


def create_merchant_staff(power_bank: Shop) -> None:
    """Create a merchant's staff and invitations, an email, and a webhook endpoint."""
    hook, _secret = merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    merchants.ping_endpoint(power_bank.merchant.id, hook.id, by=BY, at=NOON)
    team.create_team(power_bank.live.id, "owner@example.com", "correct horse battery", by=BY, at=NOON)
    team.invite(power_bank.live.id, "viewer", phone=PHONE, by=BY, at=NOON)
    letters.request_password_reset("owner@example.com", at=NOON)


def create_personal_rows(person: Person) -> None:
    """Create a data export, a proof and an erasure request."""
    exports.request_export(person.id, by=BY, at=NOON)
    export_builder.make_exports(at=NOON, seconds=60)
    proofs.issue_proof(person.id, ["band"], 7, by=BY, at=NOON)
    Erasure.objects.create(realm_id=person.realm_id, person=person, asked_at=NOON, due_at=NOON + timedelta(days=7))


def create_list_export() -> None:
    """Create a colleague's background export of a list."""
    lister = accounts.create_staff("lister", "correct horse battery", roles=VIEWERS[:1], by=BY, at=NOON)
    list_exports.request_export(lister, "orders.order", "", "csv", language="en", at=NOON)
    list_exports.process_exports(at=NOON, seconds=60)


def create_dispute(shop: Shop) -> None:
    """Create a dispute with evidence, and a return."""
    bank_disputes.reverse_debit(latest_deduction_of(paid_order(shop)).number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    open_return(paid_order(shop).id, Parcel(carrier="x", tracking_number="1", reason="x"), by=BY, at=NOON)
    submit_evidence(Dispute.objects.get().id, shop.merchant.id, Evidence(statement="x"), by=BY, at=NOON)


def create_payout(shop: Shop) -> None:
    """Create an approved payout account, settlements, payouts and invoices."""
    account = AccountDetails(holder="x", bank="y", number="6222021234567890")
    asked = request_payout_account(shop.merchant.id, account, by=BY, at=NOON)
    approve_payout_account(asked.id, by=Actor.system("another"), at=NOON)
    for days in (2, 3):
        settle_due(shop.realm_id, at=NOON + timedelta(days=days))
        pay_out_due(shop.realm_id, at=NOON + timedelta(days=days))
    settle_due(shop.realm_id, at=NOON + timedelta(days=20))
    issue_due_invoices(shop.realm_id, at=NOON + timedelta(days=20))
    nothing = dict.fromkeys(("payable_minor", "pending_minor", "reserve_minor", "fees_minor", "credited_minor"), 0)
    Standing.objects.create(merchant=shop.merchant, currency="CNY", below=UUID(int=0), **nothing)  # a day from now
