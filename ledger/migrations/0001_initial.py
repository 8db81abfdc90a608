import django.db.models.deletion
import django.db.models.functions.datetime
import kernel.ids
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('kernel', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Posting',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('cause_id', models.UUIDField()),
                ('kind', models.CharField(max_length=40)),
                ('line', models.PositiveSmallIntegerField(default=0)),
                ('order_id', models.UUIDField(blank=True, null=True)),
                ('debit_account', models.CharField(max_length=40)),
                ('debit_owner', models.UUIDField(blank=True, null=True)),
                ('credit_account', models.CharField(max_length=40)),
                ('credit_owner', models.UUIDField(blank=True, null=True)),
                ('amount_minor', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('debit_owner__isnull', False)), fields=['debit_owner', 'debit_account'], name='posting_debits'), models.Index(condition=models.Q(('credit_owner__isnull', False)), fields=['credit_owner', 'credit_account'], name='posting_credits'), models.Index(condition=models.Q(('order_id__isnull', False)), fields=['order_id'], name='posting_order')],
                'constraints': [models.UniqueConstraint(fields=('cause_id', 'kind', 'line'), name='one_fact_posts_once'), models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='a_posting_moves_something'), models.CheckConstraint(condition=models.Q(models.Q(('debit_account', models.F('credit_account')), _negated=True), models.Q(('debit_owner__isnull', False), ('credit_owner__isnull', False), models.Q(('debit_owner', models.F('credit_owner')), _negated=True)), _connector='OR'), name='a_posting_has_two_sides'), models.CheckConstraint(condition=models.Q(models.Q(('debit_account__in', ['receivable', 'pending', 'payable', 'wallet', 'refund_due', 'fees', 'late_fees', 'losses', 'recoveries', 'payouts', 'suspense']), ('debit_account__startswith', 'clearing:'), _connector='OR'), models.Q(('credit_account__in', ['receivable', 'pending', 'payable', 'wallet', 'refund_due', 'fees', 'late_fees', 'losses', 'recoveries', 'payouts', 'suspense']), ('credit_account__startswith', 'clearing:'), _connector='OR')), name='both_sides_are_in_the_chart'), models.CheckConstraint(condition=models.Q(models.Q(('debit_account__in', ['receivable', 'pending', 'payable', 'wallet', 'refund_due']), ('debit_owner__isnull', False)), models.Q(models.Q(('debit_account__in', ['receivable', 'pending', 'payable', 'wallet', 'refund_due']), _negated=True), ('debit_owner__isnull', True)), _connector='OR'), name='a_debit_has_its_owner'), models.CheckConstraint(condition=models.Q(models.Q(('credit_account__in', ['receivable', 'pending', 'payable', 'wallet', 'refund_due']), ('credit_owner__isnull', False)), models.Q(models.Q(('credit_account__in', ['receivable', 'pending', 'payable', 'wallet', 'refund_due']), _negated=True), ('credit_owner__isnull', True)), _connector='OR'), name='a_credit_has_its_owner'), models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='posting_currency_is_iso')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='posting',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='53374d32f35966018c4a66b51f8a3d3ff34a0708', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_f2ff5', table='ledger_posting', when='BEFORE')),
        ),
    ]
