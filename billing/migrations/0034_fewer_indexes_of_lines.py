"""Three indexes of a settlement's lines were read by nobody, or said what its key says already."""

import django.db.models.deletion
from django.db import migrations, models

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
    FOR gone IN
        SELECT i.indexrelid::regclass AS name FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND i.indkey::text = a.attnum::text
        WHERE i.indrelid = 'billing_settlementline'::regclass AND NOT i.indisunique AND a.attname = 'merchant_id'
    LOOP
        EXECUTE format('DROP INDEX %s', gone.name);
    END LOOP;
END $$
"""
_BACK = """
ALTER TABLE billing_settlementline ADD UNIQUE (posting_id), ADD UNIQUE (earlier_id);
CREATE INDEX billing_settlementline_merchant_id_75e14508 ON billing_settlementline (merchant_id);
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
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_DROP, _BACK)],
            state_operations=[
                migrations.AlterField('settlementline', 'earlier', _key('billing.settlement', blank=True, null=True)),
                migrations.AlterField('settlementline', 'merchant', _key('merchants.merchant')),
                migrations.AlterField('settlementline', 'posting', _key('ledger.posting', blank=True, null=True)),
            ],
        ),
    ]
