from django.db import migrations

FIRST = """
INSERT INTO credit_limitpolicy (id, version, effective_from, terms, reason, by, at)
VALUES ('01932c07-0000-7000-8000-000000004001', 1, '2020-01-01T00:00:00Z', %s, 'The first one.', 'system:migration', now())
"""
TERMS = """
{"limits": {"D": 0, "C": 100000, "B": 500000, "A": 1000000, "S": 2000000},
 "open_orders_max": 20, "review_days": 30, "raises": true}
"""
# Whoever has a limit already is looked at within thirty days, not all of them on one.
WITHIN_THIRTY_DAYS = """
UPDATE credit_profile SET review_at = now() + random() * interval '30 days' WHERE frozen_at IS NULL
"""


class Migration(migrations.Migration):
    """The limits that were constants are the first version of a policy; from now on they follow the score."""

    dependencies = [("credit", "0008_limit_policy")]
    operations = [
        migrations.RunSQL([(FIRST, [TERMS])], migrations.RunSQL.noop),
        migrations.RunSQL(WITHIN_THIRTY_DAYS, migrations.RunSQL.noop),
    ]
