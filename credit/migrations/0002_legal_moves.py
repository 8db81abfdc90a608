from django.db import migrations

from kernel.guards import legal_moves

AGREEMENT = [
    ("", "pending"),
    ("pending", "active"),
    ("active", "closing"),
    ("pending", "terminated"),
    ("active", "terminated"),
    ("closing", "terminated"),
]


class Migration(migrations.Migration):
    dependencies = [("credit", "0001_initial"), ("kernel", "0002_live_realm")]
    operations = [legal_moves("credit_agreement", AGREEMENT)]
