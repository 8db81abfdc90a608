from django.db import migrations

from kernel.guards import legal_moves


class Migration(migrations.Migration):
    """What a channel takes back is owed again."""

    dependencies = [("orders", "0010_erasable_words"), ("kernel", "0002_live_realm")]
    operations = [
        legal_moves("orders_order", [("deducted", "overdue")]),
        legal_moves("orders_obligation", [("paid", "overdue")]),
    ]
