"""Payouts of settlements: created in one transaction, sent outside of any, and settled in another."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction

from billing import channels, settlement_queries
from billing.channels import Payee, PayoutRequest
from billing.models import Payout, PayoutAccount, Settlement
from billing.rules import SEND_LEASE
from billing.services.movements import MovementReport
from billing.services.payout_outcomes import PAYOUTS
from billing.services.payout_returns import has_open_return
from billing.services.unsettled_postings import PAID_OUT
from kernel.actor import Actor
from kernel.sweeps import Sweep, process_bisecting, raise_last
from ledger import accounts as book
from ledger import services as ledger

PAYOUT_ACTOR = Actor.system("pay_out")
log = structlog.get_logger(__name__)
#: When a settlement is tried again whose account cannot be decrypted or has an open return, or that has no channel yet.
RETRY_AFTER = timedelta(hours=6)


def pay_out_due(realm_id: int, *, at: datetime, limit: int = 50) -> int:
    """Pay out the settlements that are due. Returns how many were processed.

    Raises:
        Exception: the last failure of settlements whose payout could not be created even alone. They are still due.
    """
    due = Settlement.objects.filter(realm_id=realm_id, pay_at__lte=at).order_by("pay_at", "id")
    keys, payouts = list(due.values_list("id", flat=True)[:limit]), list[tuple[Payout, Payee]]()
    failures = process_bisecting(
        keys, lambda some: payouts.extend(_create_payouts(some, at=at)), event="settlement_not_paid"
    )
    disbursals = ((row.id, row.channel, PayoutRequest(row.number, payee, row.amount, at)) for row, payee in payouts)
    answers = channels.pay_out_all(disbursals, within=SEND_LEASE / 2)
    PAYOUTS.settle_all([MovementReport(key, answer, "sync") for key, answer in answers], by=PAYOUT_ACTOR, at=at)
    raise_last(failures, batch_size=len(keys))
    return len(keys)


@transaction.atomic
def _create_payouts(keys: Sequence[UUID], *, at: datetime) -> list[tuple[Payout, Payee]]:
    """Create a payout for each settlement that can be paid, and return them with their payees.

    The payouts count as sent from the moment this commits. No payout is created, and the settlement waits, if there is
    no channel or account, or if the account cannot be decrypted or has an open return. A settlement of a merchant who
    owes us by a later one is carried over: the next settlement includes both.
    """
    due = Settlement.objects.filter(pk__in=keys, pay_at__lte=at).select_related("realm").order_by("pay_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True))
    _lock_requested_accounts(rows)
    in_debt = settlement_queries.merchants_in_debt({row.merchant_id for row in rows})
    payouts = []
    for settlement in rows:
        channel = channels.PAYOUT_CHANNEL_BY_MODE.get(settlement.realm.mode)
        account = settlement_queries.effective_payout_account(settlement.merchant_id, at=at)
        if (settlement.merchant_id, settlement.currency) in in_debt:
            settlement.carry_over()
            settlement.record("carried_over", by=PAYOUT_ACTOR, at=at)
        elif channel is None:
            _postpone(settlement, "waits_for_channel", at=at)
        elif account is None and settlement.livemode:
            upcoming = settlement_queries.upcoming_payout_account(settlement.merchant_id, at=at)
            settlement.pay_at = upcoming.effective_at if upcoming else None
            settlement.record("waits_for_account", by=PAYOUT_ACTOR, at=at)
        elif has_open_return(settlement.merchant_id, account):
            _postpone(settlement, "account_in_question", at=at)
        elif (payee := _payee_or_none(settlement, account)) is None:
            _postpone(settlement, "account_not_opened", at=at)
        else:
            settlement.start_payout()
            settlement.record("paying", by=PAYOUT_ACTOR, at=at)
            payouts.append((_create_payout(settlement, account, channel, at=at), payee))
    return payouts


def _postpone(settlement: Settlement, event: str, *, at: datetime) -> None:
    """Try the settlement again later. Repeated postponements for the same reason are recorded once."""
    settlement.pay_at = at + RETRY_AFTER
    if settlement.history.latest("seq").kind == event:
        settlement.save(update_fields=["pay_at"])
    else:
        settlement.record(event, by=PAYOUT_ACTOR, at=at)


def _lock_requested_accounts(rows: Sequence[Settlement]) -> None:
    """Lock the accounts that wait for approval, so that an approval comes before or after this: a settlement is then
    either paid here or set due by the approval.

    Only needed in live mode: a sandbox merchant always has an account.
    """
    merchants = {row.merchant_id for row in rows if row.livemode and row.realm.mode in channels.PAYOUT_CHANNEL_BY_MODE}
    requested = PayoutAccount.objects.filter(merchant__in=merchants, state=PayoutAccount.State.ASKED)
    list(requested.select_for_update(of=("self",), no_key=True).order_by("pk"))


def _create_payout(settlement: Settlement, account: PayoutAccount | None, channel: str, *, at: datetime) -> Payout:
    payout = Payout(
        realm_id=settlement.realm_id,
        merchant_id=settlement.merchant_id,
        settlement=settlement,
        account=account,
        channel=channel,
        currency=settlement.currency,
        amount_minor=settlement.net_minor,
        prepared_at=at,
    )
    payout.record("prepared", by=PAYOUT_ACTOR, at=at)
    payout.send(at=at, ask_at=at + SEND_LEASE)
    payout.record("sent", by=PAYOUT_ACTOR, at=at)
    move = book.Move(book.payable(settlement.merchant_id), book.PAYOUTS, settlement.net)
    ledger.post([ledger.JournalEntry(payout.id, PAID_OUT, [move])], realm_id=settlement.realm_id, at=at)
    return payout


def _payee_or_none(settlement: Settlement, account: PayoutAccount | None) -> Payee | None:
    """The payee. None if the account number cannot be decrypted, so that the other settlements are still paid."""
    try:
        return _payee(settlement, account)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        log.exception(
            "payout_account_not_opened", settlement=settlement.public_id, account=account and account.public_id
        )
        return None


def _payee(settlement: Settlement, account: PayoutAccount | None) -> Payee:
    """The approved account, or the default one of a sandbox merchant. The token starts with the realm id."""
    if account is None:
        return Payee(
            f"{settlement.realm_id}:out:{settlement.merchant_id.hex}", settlement.merchant.name, "sandbox", "0000"
        )
    return Payee(f"{settlement.realm_id}:out:{account.id.hex}", account.holder, account.bank, account.number)


DUE = Sweep(
    name="pay_out",
    process_batch=pay_out_due,
    first_due_sql="SELECT min(pay_at) FROM billing_settlement WHERE realm_id = %(realm)s AND pay_at IS NOT NULL",
    batch_size=50,
    job_name="settle",
    model=Settlement,
    due_column="pay_at",
)
