from django.db import migrations

ASKED = """
ALTER TABLE sandbox_bank.returned
    ADD COLUMN asked_as text NOT NULL DEFAULT '', ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX returned_as_asked ON sandbox_bank.returned (asked_as) WHERE asked_as <> '';
"""
UNASKED = "ALTER TABLE sandbox_bank.returned DROP COLUMN asked_as, DROP COLUMN asked_at;"


class Migration(migrations.Migration):
    """Under what the sandbox bank was asked to take a debit back: asked again, it does nothing again."""

    dependencies = [("billing", "0030_what_a_merchants_accounts_come_to")]
    operations = [migrations.RunSQL(ASKED, UNASKED)]
