import django.db.models.deletion
import kernel.ids
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


#: For days that were closed before.
BEFORE = """
INSERT INTO ledger_closedbalance (id, day_id, code, currency, stands_minor)
SELECT gen_random_uuid(), d.id, s.code, s.currency, sum(s.minor)::bigint FROM ledger_closedday d JOIN (
    SELECT realm_id, at, debit_account AS code, currency, amount_minor AS minor FROM ledger_posting
    UNION ALL SELECT realm_id, at, credit_account, currency, -amount_minor FROM ledger_posting) s
    ON s.realm_id = d.realm_id AND s.at < d.covers_until
GROUP BY d.id, s.code, s.currency;
SET CONSTRAINTS ALL IMMEDIATE
"""


class Migration(migrations.Migration):
    """What stood on each account is kept with each closed day."""

    dependencies = [
        ('ledger', '0004_closed_days'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClosedBalance',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('code', models.CharField(max_length=40)),
                ('currency', models.CharField(max_length=3)),
                ('stands_minor', models.BigIntegerField()),
                ('day', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='balances', to='ledger.closedday')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('day', 'code', 'currency'), name='an_account_ends_a_day_once')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='closedbalance',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='47014404319438d0a584d4927a2cff8de75eda00', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_d9af3', table='ledger_closedbalance', when='BEFORE')),
        ),
        migrations.RunSQL(BEFORE, migrations.RunSQL.noop),
    ]
