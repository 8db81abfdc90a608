from django.db import migrations

from kernel.guards import legal_moves


class Migration(migrations.Migration):
    """A written-off late fee is waived when its order is refunded in full."""

    dependencies = [("orders", "0022_shared_attempts"), ("kernel", "0002_live_realm")]
    operations = [legal_moves("orders_obligation", [("written_off", "waived")])]
