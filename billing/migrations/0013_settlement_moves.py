from django.db import migrations

from kernel.guards import legal_moves

SETTLEMENT = [("", "open"), ("open", "closed"), ("closed", "paying"), ("paying", "paid"), ("paying", "failed")]
ACCOUNT = [("", "asked"), ("asked", "agreed"), ("asked", "refused")]
PAYOUT = [
    ("", "prepared"),
    ("prepared", "sent"),
    ("sent", "succeeded"),
    ("sent", "failed"),
    ("sent", "unknown"),
    ("unknown", "succeeded"),
    ("unknown", "failed"),
    ("unknown", "not_sent"),
]
BANK = "ALTER TABLE sandbox_bank.debit ADD COLUMN payout boolean NOT NULL DEFAULT false"
BACK = "ALTER TABLE sandbox_bank.debit DROP COLUMN payout"


class Migration(migrations.Migration):
    """What may become of a settlement and a payout, and that the sandbox bank pays merchants."""

    dependencies = [("billing", "0012_settlements"), ("kernel", "0002_live_realm")]
    operations = [
        legal_moves("billing_settlement", SETTLEMENT),
        legal_moves("billing_payoutaccount", ACCOUNT),
        legal_moves("billing_payout", PAYOUT),
        migrations.RunSQL(BANK, BACK),
    ]
