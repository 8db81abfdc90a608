from django.db import migrations

from kernel.guards import legal_moves


class Migration(migrations.Migration):
    """A late fee is overdue from its first day."""

    dependencies = [("orders", "0004_days_and_pauses")]
    operations = [legal_moves("orders_obligation", [("", "overdue")])]
