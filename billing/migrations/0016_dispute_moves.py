from django.db import migrations

from kernel.guards import legal_moves

DISPUTE = [
    ("", "open"),
    ("open", "contested"),
    ("open", "won"),
    ("open", "lost"),
    ("contested", "won"),
    ("contested", "lost"),
]
BANK = """
CREATE TABLE sandbox_bank.returned (
    txn text PRIMARY KEY,
    of text NOT NULL REFERENCES sandbox_bank.debit (txn),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    code text NOT NULL,
    at timestamptz NOT NULL,
    evidence text,
    contested_at timestamptz,
    given_way boolean NOT NULL DEFAULT false
);
CREATE INDEX returned_of_debit ON sandbox_bank.returned (of);
ALTER TABLE sandbox_bank.callback ADD COLUMN return_txn text REFERENCES sandbox_bank.returned;
"""
BACK = """
ALTER TABLE sandbox_bank.callback DROP COLUMN return_txn;
DROP TABLE sandbox_bank.returned;
"""


class Migration(migrations.Migration):
    """What may become of a dispute, and that the sandbox bank takes debits back."""

    dependencies = [("billing", "0015_disputes"), ("kernel", "0002_live_realm"), ("orders", "0012_owed_again")]
    operations = [legal_moves("billing_dispute", DISPUTE), migrations.RunSQL(BANK, BACK)]
