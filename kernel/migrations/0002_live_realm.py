from django.db import migrations


class Migration(migrations.Migration):
    """The live realm: there is one, and it is number 1."""

    dependencies = [("kernel", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "INSERT INTO kernel_realm (id, mode, clock_offset) VALUES (1, 'live', interval '0');"
            "SELECT setval(pg_get_serial_sequence('kernel_realm', 'id'), 1);",
            "DELETE FROM kernel_realm WHERE id = 1;",
        )
    ]
