from django.db import migrations, models

BEFORE = """
UPDATE merchants_merchant SET invoices_at =
    (date_trunc('month', created_at AT TIME ZONE cutoff_zone) + interval '1 month' + cutoff_hour * interval '1 hour')
    AT TIME ZONE cutoff_zone;
SET CONSTRAINTS ALL IMMEDIATE
"""


class Migration(migrations.Migration):
    """A merchant's month ends, too; the months that were are invoiced one after the other."""

    dependencies = [("merchants", "0006_merchants_moves")]
    operations = [
        migrations.AddField("merchant", "invoices_at", models.DateTimeField(null=True)),
        migrations.RunSQL(BEFORE, migrations.RunSQL.noop),
        migrations.AlterField("merchant", "invoices_at", models.DateTimeField()),
        migrations.AddIndex(
            "merchant", models.Index(fields=["realm", "invoices_at", "id"], name="merchants_to_invoice")
        ),
    ]
