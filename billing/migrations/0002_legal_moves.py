from django.db import migrations

from kernel.guards import legal_moves

DEDUCTION = [
    ("", "prepared"),
    ("prepared", "sent"),
    ("sent", "succeeded"),
    ("sent", "failed"),
    ("sent", "unknown"),
    ("unknown", "succeeded"),
    ("unknown", "failed"),
    ("unknown", "not_sent"),
]


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("kernel", "0002_live_realm")]
    operations = [legal_moves("billing_deduction", DEDUCTION)]
