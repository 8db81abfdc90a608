from django.db import migrations

from kernel.guards import legal_moves

REFUND = [("", "pending"), ("pending", "succeeded"), ("pending", "failed")]
PART = [
    ("", "prepared"),
    ("prepared", "sent"),
    ("sent", "succeeded"),
    ("sent", "failed"),
    ("sent", "unknown"),
    ("unknown", "succeeded"),
    ("unknown", "failed"),
    ("unknown", "not_sent"),
]
BANK = """
ALTER TABLE sandbox_bank.account ADD COLUMN refunds integer NOT NULL DEFAULT 0;
ALTER TABLE sandbox_bank.debit ADD COLUMN refund_of text REFERENCES sandbox_bank.debit (txn);
CREATE INDEX refunds_of_debit ON sandbox_bank.debit (refund_of) WHERE refund_of IS NOT NULL;
"""
BACK = """
ALTER TABLE sandbox_bank.debit DROP COLUMN refund_of;
ALTER TABLE sandbox_bank.account DROP COLUMN refunds;
"""


class Migration(migrations.Migration):
    """What may become of a refund, and that the sandbox bank gives money back."""

    dependencies = [("billing", "0010_refunds"), ("kernel", "0002_live_realm")]
    operations = [
        legal_moves("billing_refund", REFUND),
        legal_moves("billing_refundpart", PART),
        migrations.RunSQL(BANK, BACK),
    ]
