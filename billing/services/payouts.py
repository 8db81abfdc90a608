"""Settlements are paid out: written down with its number in one transaction, sent in none, settled in another."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from billing import channels, statements
from billing.channels import Disbursal, Payee
from billing.models import Payout, PayoutAccount, Settlement
from billing.rules import SEND_LEASE
from billing.services.movements import MovementReport
from billing.services.payout_returns import in_question
from billing.services.settle_payouts import PAYOUTS
from billing.services.unsettled import PAID_OUT
from kernel.actor import Actor
from kernel.sweeps import Sweep, by_halves, raise_last
from kernel.time_limit import TimeIsUp
from ledger import rules as book
from ledger import services as ledger

PAYMASTER = Actor.system("pay_out")
log = structlog.get_logger(__name__)
#: How long a settlement is left alone whose account does not open or is in question, or that no channel pays yet.
OPENS_AGAIN = timedelta(hours=6)


def pay_out_due(realm_id: int, *, at: datetime, limit: int = 50) -> int:
    """Send what is to be paid out by now. Returns how many settlements were seen to.

    Raises:
        Exception: the last of what went wrong with settlements that cannot be written as sent even alone; they wait.
    """
    due = Settlement.objects.filter(realm_id=realm_id, pay_at__lte=at).order_by("pay_at", "id")
    keys, payouts = list(due.values_list("id", flat=True)[:limit]), list[tuple[Payout, Payee]]()
    failures = by_halves(keys, lambda some: payouts.extend(_written(some, at=at)), told="settlement_not_paid")
    asked = ((row.id, row.channel, Disbursal(row.number, payee, row.amount, at)) for row, payee in payouts)
    answers = channels.pay_out_all(asked, within=SEND_LEASE / 2)
    PAYOUTS.settle_all([MovementReport(key, answer, "sync") for key, answer in answers], by=PAYMASTER, at=at)
    raise_last(failures, seen=len(keys))
    return len(keys)


@transaction.atomic
def _written(keys: Sequence[UUID], *, at: datetime) -> list[tuple[Payout, Payee]]:
    """Settlements to pay, and a payout for each, sent from the moment this commits, and to whom.

    One without a channel or an account waits for it, and so does one whose account does not open, or from which
    something came back that nobody has judged: nothing is written of it as sent. Nor is anything sent to whoever owes
    us by a later settlement: the next one carries both.
    """
    due = Settlement.objects.filter(pk__in=keys, pay_at__lte=at).select_related("realm").order_by("pay_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True))
    _wait_for_agreement(rows)
    owing = statements.debts_of({row.merchant_id for row in rows})
    payouts = []
    for row in rows:
        channel, account = channels.PAYER_OF.get(row.realm.mode), statements.account_in_force(row.merchant_id, at=at)
        if (row.merchant_id, row.currency) in owing:
            row.go_along()
            row.record("carried_over", by=PAYMASTER, at=at)
        elif channel is None:
            _look_again(row, "waits_for_channel", at=at)
        elif account is None and row.livemode:
            coming = statements.account_to_come(row.merchant_id, at=at)
            row.pay_at = coming.effective_at if coming else None
            row.record("waits_for_account", by=PAYMASTER, at=at)
        elif in_question(row.merchant_id, account):
            _look_again(row, "account_in_question", at=at)
        elif (payee := _opened(row, account)) is None:
            _look_again(row, "account_not_opened", at=at)
        else:
            row.pay_out()
            row.record("paying", by=PAYMASTER, at=at)
            payouts.append((_sent(row, account, channel, at=at), payee))
    return payouts


def _look_again(row: Settlement, why: str, *, at: datetime) -> None:
    """It waits, and is looked at again later. Its history says so once, however often that is."""
    row.pay_at = at + OPENS_AGAIN
    if row.history.latest("seq").kind == why:
        row.save(update_fields=["pay_at"])
    else:
        row.record(why, by=PAYMASTER, at=at)


def _wait_for_agreement(rows: Sequence[Settlement]) -> None:
    """Whoever is just agreeing to an account comes before these or after them: no settlement is seen by neither.

    Only where money waits for an account: a sandbox has one at its bank.
    """
    merchants = {row.merchant_id for row in rows if row.livemode and row.realm.mode in channels.PAYER_OF}
    asked = PayoutAccount.objects.filter(merchant__in=merchants, state=PayoutAccount.State.ASKED)
    list(asked.select_for_update(of=("self",), no_key=True).order_by("pk"))


def _sent(row: Settlement, account: PayoutAccount | None, channel: str, *, at: datetime) -> Payout:
    payout = Payout(
        realm_id=row.realm_id,
        merchant_id=row.merchant_id,
        settlement=row,
        account=account,
        channel=channel,
        currency=row.currency,
        amount_minor=row.net_minor,
        prepared_at=at,
    )
    payout.record("prepared", by=PAYMASTER, at=at)
    payout.send(at=at, ask_at=at + SEND_LEASE)
    payout.record("sent", by=PAYMASTER, at=at)
    move = book.Move(book.payable(row.merchant_id), book.PAYOUTS, row.net)
    ledger.post([ledger.Fact(payout.id, PAID_OUT, [move])], realm_id=row.realm_id, at=at)
    return payout


def _opened(row: Settlement, account: PayoutAccount | None) -> Payee | None:
    """To whom it goes; nobody while the account's number does not open. The others are paid all the same."""
    try:
        return _payee(row, account)
    except TimeIsUp:
        raise
    except Exception:
        log.exception("payout_account_not_opened", settlement=row.public_id, account=account and account.public_id)
        return None


def _payee(row: Settlement, account: PayoutAccount | None) -> Payee:
    """The account agreed on; or the one that each sandbox has at its bank. A token there begins with its realm."""
    if account is None:
        return Payee(f"{row.realm_id}:out:{row.merchant_id.hex}", row.merchant.name, "sandbox", "0000")
    return Payee(f"{row.realm_id}:out:{account.id.hex}", account.holder, account.bank, account.number)


DUE = Sweep(
    name="pay_out",
    act=pay_out_due,
    first="SELECT min(pay_at) FROM billing_settlement WHERE realm_id = %(realm)s AND pay_at IS NOT NULL",
    batch=50,
    beat="settle",
    work=Settlement,
    column="pay_at",
)
