from django.db import migrations

CREATE = "CREATE TABLE sandbox_bank.closed (number text PRIMARY KEY, at timestamptz NOT NULL)"


class Migration(migrations.Migration):
    """The sandbox bank remembers the numbers it was asked to close."""

    dependencies = [("billing", "0007_outage")]
    operations = [migrations.RunSQL(CREATE, "DROP TABLE sandbox_bank.closed")]
