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
    """The first version of the policy every service begins with."""

    dependencies = [("billing", "0003_sandbox_bank")]
    operations = [
        migrations.RunSQL(
            [
                (
                    "INSERT INTO billing_retrypolicy (id, name, version, effective_from, terms, by, at) VALUES"
                    " ('01932c07-0000-7000-8000-000000000001', 'standard', 1, '2000-01-01Z', %s::jsonb, 'system:migration', now())",
                    [json.dumps(TERMS)],
                )
            ],
            migrations.RunSQL.noop,
        )
    ]
