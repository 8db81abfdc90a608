"""Redacts staff's notes about people whose data was erased before, and the evidence in disputes of their deductions."""

from django.db import migrations

_ERASED = "SELECT person_id FROM personal_erasure WHERE erased_at IS NOT NULL"
_STATEMENTS = (
    f"""UPDATE accounts_accountevent SET data = data || '{{"note": "***"}}'
    WHERE data ->> 'note' IS NOT NULL AND (person_id IN ({_ERASED}) OR user_id IN (
        SELECT user_id FROM accounts_person WHERE user_id IS NOT NULL AND id IN ({_ERASED})))""",
    f"""UPDATE credit_limitchange SET reason = ''
    WHERE reason <> '' AND by <> 'system:review' AND person_id IN ({_ERASED})""",
    f"""UPDATE orders_orderevent h SET data = h.data || '{{"note": "***"}}' FROM orders_order o
    WHERE h.subject_id = o.id AND h.data ->> 'note' IS NOT NULL AND o.person_id IN ({_ERASED})""",
    f"""UPDATE orders_obligationevent h SET data = h.data || '{{"reason": "***"}}' FROM orders_obligation o
    WHERE h.subject_id = o.id AND h.kind = 'written_off' AND h.data ->> 'reason' IS NOT NULL
      AND o.person_id IN ({_ERASED})""",
    f"UPDATE billing_dispute SET evidence = '***' WHERE evidence <> '' AND person_id IN ({_ERASED})",
    f"""UPDATE billing_disputeanswer SET statement = '***', communication = '***', carrier = '***', tracking_number = '***'
    WHERE dispute_id IN (SELECT id FROM billing_dispute WHERE person_id IN ({_ERASED}))""",
)


class Migration(migrations.Migration):

    dependencies = [
        ('personal', '0002_words_of_returns'),
        ('accounts', '0020_notes_can_be_redacted'),
        ('billing', '0037_evidence_can_be_erased'),
        ('credit', '0014_reasons_can_be_erased'),
        ('orders', '0020_notes_can_be_redacted'),
    ]

    operations = [migrations.RunSQL(statement, migrations.RunSQL.noop) for statement in _STATEMENTS]
