from django.db import migrations

from kernel.guards import legal_moves

ORDER = [
    ("", "created"),
    ("", "open"),
    ("created", "open"),
    ("created", "expired"),
    ("open", "completed"),
    ("completed", "deducted"),
    ("overdue", "deducted"),
    ("completed", "overdue"),
    ("created", "cancelled"),
    ("open", "cancelled"),
    ("completed", "cancelled"),
    ("overdue", "cancelled"),
]
OBLIGATION = [
    ("", "pending"),
    ("", "overdue"),
    ("pending", "paid"),
    ("overdue", "paid"),
    ("pending", "overdue"),
    ("pending", "waived"),
    ("overdue", "waived"),
]


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial"), ("kernel", "0002_live_realm")]
    operations = [legal_moves("orders_order", ORDER), legal_moves("orders_obligation", OBLIGATION)]
