"""Whoever had left before had their words blotted out of their returns, but not of what their merchants were told."""

from django.db import migrations

BLOT = """
UPDATE merchants_event e SET data = e.data || '{"carrier": "***", "tracking_number": "***", "reason": "***"}'
FROM billing_return r JOIN personal_erasure x ON x.person_id = r.person_id
WHERE x.erased_at IS NOT NULL AND e.subject_id = r.order_id AND e.type LIKE 'return.%%'
"""


class Migration(migrations.Migration):

    dependencies = [
        ('personal', '0001_initial'),
        ('billing', '0030_what_a_merchants_accounts_come_to'),
        ('merchants', '0010_blotted_returns'),
    ]

    operations = [migrations.RunSQL(BLOT, migrations.RunSQL.noop)]
