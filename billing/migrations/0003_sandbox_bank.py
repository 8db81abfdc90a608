from django.db import migrations

CREATE = """
CREATE SCHEMA sandbox_bank;
CREATE TABLE sandbox_bank.account (
    token text PRIMARY KEY,
    behaviour text NOT NULL,
    until timestamptz,
    balance_minor bigint CHECK (balance_minor >= 0),
    charges integer NOT NULL DEFAULT 0
);
CREATE TABLE sandbox_bank.debit (
    number text PRIMARY KEY,
    token text NOT NULL REFERENCES sandbox_bank.account,
    txn text NOT NULL UNIQUE,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency char(3) NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    settles_at timestamptz NOT NULL
);
CREATE INDEX debit_of_account ON sandbox_bank.debit (token);
CREATE TABLE sandbox_bank.callback (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text NOT NULL REFERENCES sandbox_bank.debit,
    notify_id text NOT NULL,
    due_at timestamptz NOT NULL,
    delivered_at timestamptz
);
CREATE INDEX callback_due ON sandbox_bank.callback (due_at) WHERE delivered_at IS NULL;
"""


class Migration(migrations.Migration):
    """The sandbox bank keeps its own books, in a schema of its own, apart from the platform's."""

    dependencies = [("billing", "0002_legal_moves")]
    operations = [migrations.RunSQL(CREATE, "DROP SCHEMA sandbox_bank CASCADE")]
