"""Three indexes of a settlement's lines were read by nobody, or said what its key says already."""

import django.db.models.deletion
from django.db import migrations, models

from kernel.field_indexes import WithoutIndex

#: By their columns, for their names are Django's. The foreign keys stay as they are, and are not looked at anew.
_DROP = """
DO $$
DECLARE gone record;
BEGIN
    FOR gone IN
        SELECT c.conname FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND ARRAY[a.attnum] = c.conkey
        WHERE c.conrelid = 'billing_settlementline'::regclass AND c.contype = 'u'
          AND a.attname IN ('posting_id', 'earlier_id')
    LOOP
        EXECUTE format('ALTER TABLE billing_settlementline DROP CONSTRAINT %I', gone.conname);
    END LOOP;
END $$
"""
_BACK = """
ALTER TABLE billing_settlementline ADD UNIQUE (posting_id), ADD UNIQUE (earlier_id)
"""


def _key(to: str, **how: object) -> models.ForeignKey:
    protect = django.db.models.deletion.PROTECT
    return models.ForeignKey(db_index=False, on_delete=protect, related_name='+', to=to, **how)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0033_paid_by_hand'),
        ('ledger', '0006_advances'),
        ('merchants', '0010_blotted_returns'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='settlementline',
            constraint=models.UniqueConstraint(
                condition=models.Q(('earlier__isnull', False)), fields=('earlier',), name='a_settlement_is_carried_once',
            ),
        ),
        WithoutIndex('settlementline', 'merchant', _key('merchants.merchant')),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_DROP, _BACK)],
            state_operations=[
                migrations.AlterField('settlementline', 'earlier', _key('billing.settlement', blank=True, null=True)),
                migrations.AlterField('settlementline', 'posting', _key('ledger.posting', blank=True, null=True)),
            ],
        ),
    ]
