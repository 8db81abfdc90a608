import json

from django.db import migrations

TERMS = {
    "retry_days": [1, 3, 5, 7, 10, 14, 21, 30, 45, 60, 75, 90],
    "retry_hour": 10,
    "quiet_from": 22,
    "quiet_until": 7,
    "instrument_a_day": 1,
    "instrument_in_30_days": 15,
    "person_a_day": 2,
    "paydays": [10, 15],
    "payday_reach": 2,
    "business_days_of": "",
    "switch_on_soft": True,
    "technical_minutes": [10, 30, 120],
    "move_days_max": 7,
}


class Migration(migrations.Migration):
    """The second version: one morning fewer in the first days, and four more until the ninetieth."""

    dependencies = [("billing", "0005_planned_lines")]
    operations = [
        migrations.RunSQL(
            [
                (
                    "INSERT INTO billing_retrypolicy (id, name, version, effective_from, terms, by, at) VALUES"
                    " ('01a21000-8800-7000-8000-000000000002', 'standard', 2, '2027-01-01Z', %s::jsonb, 'system:migration', now())",
                    [json.dumps(TERMS)],
                )
            ],
            migrations.RunSQL.noop,
        )
    ]
