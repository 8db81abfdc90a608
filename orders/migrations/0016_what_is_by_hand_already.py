from django.db import migrations

#: What channels took back before, and what is owed for returns that did not stand, is nobody's to debit from now on.
BY_HAND = """
UPDATE orders_obligation o SET by_hand = true
WHERE o.state IN ('pending', 'overdue') AND o.collect_at IS NULL AND o.plan = '[]'::jsonb
  AND (o.kind = 'advance' OR EXISTS (
      SELECT 1 FROM orders_obligationevent e WHERE e.subject_id = o.id AND e.kind = 'owed_again'
         AND NOT EXISTS (SELECT 1 FROM orders_obligationevent l
                         WHERE l.subject_id = o.id AND l.kind = 'put_off' AND l.seq > e.seq)))
"""
#: How many days were grace, as the reminders reckoned until now.
GRACE = """
UPDATE orders_obligation o SET grace_days = least(o.overdue_days, greatest(0,
    (d.overdue_at AT TIME ZONE p.zone)::date - (o.due_at AT TIME ZONE p.zone)::date))
FROM orders_order d, accounts_person p
WHERE d.id = o.order_id AND p.id = o.person_id AND o.state = 'overdue' AND d.overdue_at IS NOT NULL
"""
#: The days of a debt for a return count from the day on which it did not stand.
DAYS = """
UPDATE orders_obligation o
SET day_end_at = (date_trunc('day', o.due_at AT TIME ZONE p.zone) + interval '1 day') AT TIME ZONE p.zone
FROM accounts_person p
WHERE p.id = o.person_id AND o.kind = 'advance' AND o.state = 'overdue'
  AND o.paused_at IS NULL AND o.day_end_at IS NULL
"""


class Migration(migrations.Migration):
    """What there is already is as it would have become: paid by hand, and counted."""

    dependencies = [("orders", "0015_paid_by_hand")]
    operations = [migrations.RunSQL(sql, migrations.RunSQL.noop) for sql in (BY_HAND, GRACE, DAYS)]
