from django.db import migrations

from kernel.guards import legal_moves

CONCERN = [("", "open"), ("open", "decided"), ("open", "withdrawn")]
# New dates were agreed: what was overdue is not any more.
ANEW = [("overdue", "pending")]
FIRST = """
INSERT INTO orders_easepolicy (id, version, effective_from, terms, reason, by, at)
VALUES ('01932c07-0000-7000-8000-000000003001', 1, '2020-01-01T00:00:00Z', %s, 'The first one.', 'system:migration', now())
"""
TERMS = """
{"parts": [2, 3, 4, 6], "every_days": [14, 30], "days_max": 180, "part_min_minor": 300, "apart_days": 90}
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0005_concerns")]
    operations = [
        legal_moves("orders_concern", CONCERN),
        legal_moves("orders_obligation", ANEW),
        legal_moves("orders_order", [("overdue", "completed")]),
        migrations.RunSQL([(FIRST, [TERMS])], migrations.RunSQL.noop),
    ]
