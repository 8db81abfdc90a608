"""What was held and owed of other currencies than a person's own had counted as their own: it moves to limits of its own."""

from typing import Any

from django.db import migrations

from credit import rules
from kernel.clock import live_now
from kernel.ids import uuid7

USED = """
SELECT person_id, currency, sum(held)::bigint, sum(owed)::bigint FROM (
    SELECT a.person_id, s.currency, 0 AS held, 0 AS owed
    FROM credit_agreement a JOIN merchants_service s ON s.id = a.service_id WHERE a.state IN ('active', 'closing')
    UNION ALL SELECT person_id, currency, ceiling_minor, 0 FROM orders_order WHERE state = 'open'
    UNION ALL SELECT person_id, currency, 0, amount_minor - paid_minor FROM orders_obligation
    WHERE state IN ('pending', 'overdue')) AS used
GROUP BY 1, 2
"""


def part(apps: Any, schema_editor: Any) -> None:
    """Each person's limit and use of every currency but their own, out of their profile."""
    CurrencyLimit, Profile = (apps.get_model("credit", name) for name in ("CurrencyLimit", "Profile"))
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(USED)
        used = cursor.fetchall()
    profiles = Profile.objects.in_bulk({person for person, *_ in used})
    for person, currency, held, owed in used:
        profile = profiles[person]
        if currency == profile.currency:
            continue
        limit = max(rules.limit_of(profile.score, currency), held + owed)
        CurrencyLimit.objects.create(
            id=uuid7(), person_id=person, currency=currency, limit_minor=limit, held_minor=held, outstanding_minor=owed,
            created_at=live_now(),
        )
        profile.held_minor -= held
        profile.outstanding_minor -= owed
        profile.save(update_fields=["held_minor", "outstanding_minor"])


class Migration(migrations.Migration):
    dependencies = [
        ("credit", "0006_currency_limits"),
        ("merchants", "0001_initial"),
        ("orders", "0012_owed_again"),
    ]

    operations = [migrations.RunPython(part, migrations.RunPython.noop)]
