from django.db import migrations

from kernel.guards import legal_moves


class Migration(migrations.Migration):
    """What a channel takes back is owed again."""

    dependencies = [("orders", "0011_console_finds"), ("kernel", "0002_live_realm")]
    operations = [
        legal_moves("orders_order", [("deducted", "overdue")]),
        legal_moves("orders_obligation", [("paid", "overdue")]),
    ]
