from django.db import migrations

from kernel.guards import legal_moves


class Migration(migrations.Migration):
    dependencies = [("credit", "0003_eased_orders")]
    operations = [legal_moves("credit_agreement", [("closing", "active")])]
