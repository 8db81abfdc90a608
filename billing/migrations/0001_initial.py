import django.db.models.deletion
import django.db.models.functions.datetime
import kernel.ids
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('kernel', '0001_initial'),
        ('merchants', '0001_initial'),
        ('orders', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Instrument',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='instruments', to='accounts.person')),
                ('channel', models.CharField(max_length=20)),
                ('token', models.CharField(max_length=64)),
                ('label', models.CharField(max_length=60)),
                ('priority', models.PositiveSmallIntegerField(default=1)),
                ('state', models.CharField(choices=[('active', 'Active'), ('dead', 'Dead'), ('removed', 'Removed')], default='active', max_length=7)),
                ('dead_because', models.CharField(blank=True, max_length=40)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['person_id', 'priority', 'id'],
                'constraints': [models.UniqueConstraint(fields=('channel', 'token'), name='a_token_is_one_instrument')],
            },
        ),
        migrations.CreateModel(
            name='RetryPolicy',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=20)),
                ('version', models.PositiveIntegerField()),
                ('effective_from', models.DateTimeField()),
                ('terms', models.JSONField()),
                ('by', models.CharField(max_length=80)),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['name', 'version'],
                'constraints': [models.UniqueConstraint(fields=('name', 'version'), name='a_policy_version_is_published_once')],
            },
        ),
        migrations.CreateModel(
            name='Wallet',
            fields=[
                ('person', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='wallet', serialize=False, to='accounts.person')),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('currency', models.CharField(default='CNY', max_length=3)),
                ('balance_minor', models.BigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('balance_minor__gte', 0)), name='a_wallet_is_never_overdrawn')],
            },
        ),
        migrations.CreateModel(
            name='WalletEntry',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='wallet_entries', to='accounts.person')),
                ('number', models.CharField(max_length=64, unique=True)),
                ('amount_minor', models.BigIntegerField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Callback',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('channel', models.CharField(max_length=20)),
                ('notify_id', models.CharField(max_length=80)),
                ('raw', models.BinaryField()),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('channel', 'notify_id'), name='a_callback_counts_once')],
            },
        ),
        migrations.CreateModel(
            name='Deduction',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deductions', to='accounts.person')),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deductions', to='billing.instrument')),
                ('channel', models.CharField(max_length=20)),
                ('purpose', models.CharField(choices=[('planned', 'Planned'), ('collect', 'Collect'), ('pay_now', 'Pay Now')], max_length=8)),
                ('reason', models.CharField(blank=True, max_length=20)),
                ('currency', models.CharField(max_length=3)),
                ('amount_minor', models.BigIntegerField()),
                ('state', models.CharField(choices=[('prepared', 'Prepared'), ('sent', 'Sent'), ('unknown', 'Unknown'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('not_sent', 'Not Sent')], default='prepared', max_length=50)),
                ('prepared_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('channel_txn', models.CharField(blank=True, max_length=64, null=True)),
                ('failure_code', models.CharField(blank=True, max_length=40)),
                ('failure_class', models.CharField(blank=True, max_length=10)),
                ('asks', models.PositiveSmallIntegerField(default=0)),
                ('ask_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('ask_at__isnull', False)), fields=['realm', 'ask_at'], name='deductions_to_ask'), models.Index(fields=['person', '-id'], name='deductions_of_person')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='a_deduction_asks_for_something'), models.UniqueConstraint(condition=models.Q(('channel_txn__isnull', False)), fields=('channel', 'channel_txn'), name='a_channel_transaction_is_used_once'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'succeeded'), _negated=True), ('channel_txn__isnull', False), _connector='OR'), name='a_success_names_its_transaction'), models.CheckConstraint(condition=models.Q(('state__in', ['sent', 'unknown']), ('ask_at__isnull', True), _connector='OR'), name='only_the_unresolved_is_asked_about')],
            },
        ),
        migrations.CreateModel(
            name='DeductionEvent',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('seq', models.PositiveIntegerField()),
                ('kind', models.CharField(max_length=40)),
                ('source', models.CharField(blank=True, max_length=20)),
                ('target', models.CharField(max_length=20)),
                ('by', models.CharField(max_length=80)),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('data', models.JSONField(blank=True, default=dict)),
                ('subject', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='history', to='billing.deduction')),
            ],
            options={
                'ordering': ['subject_id', 'seq'],
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('subject', 'seq'), name='deductionevent_has_no_twin')],
            },
        ),
        migrations.CreateModel(
            name='DeductionLine',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('deduction', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='billing.deduction')),
                ('obligation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deduction_lines', to='orders.obligation')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deduction_lines', to='orders.order')),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant')),
                ('amount_minor', models.BigIntegerField()),
                ('attempt', models.PositiveSmallIntegerField()),
                ('live', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('live', True)), fields=('obligation',), name='one_live_deduction_an_obligation'), models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='a_line_asks_for_something')],
            },
        ),
        migrations.CreateModel(
            name='Case',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('kind', models.CharField(max_length=30)),
                ('deduction', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='billing.deduction')),
                ('detail', models.JSONField(default=dict)),
                ('opened_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='ChannelReport',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('deduction', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reports', to='billing.deduction')),
                ('source', models.CharField(max_length=8)),
                ('outcome', models.CharField(max_length=10)),
                ('code', models.CharField(blank=True, max_length=60)),
                ('channel_txn', models.CharField(blank=True, max_length=64)),
                ('amount_minor', models.BigIntegerField(blank=True, null=True)),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='callback',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='f29bb7cbabe8c1c95d1c25fa1e98e433551248b0', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_b14a7', table='billing_callback', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='retrypolicy',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='2e6e81db096b2ca0e3b9acc133b9e3cc7e5376ac', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_a6a89', table='billing_retrypolicy', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='channelreport',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='0b39ebb68e0e6c53a3c328d30b29e82284d56939', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_47f85', table='billing_channelreport', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='deductionevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='367f4525699f52512d31cdc5cc0f8851d5b36459', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_4cb1a', table='billing_deductionevent', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='deduction',
            trigger=pgtrigger.compiler.Trigger(name='legal_moves_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF NEW.version NOT IN (OLD.version, OLD.version + 1)\n                   OR (NEW.state <> OLD.state AND NEW.version = OLD.version) THEN\n                    RAISE EXCEPTION '% %: version % may not follow %', TG_TABLE_NAME, OLD.id, NEW.version, OLD.version\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'one_version_a_step';\n                END IF;\n                IF NEW.state <> OLD.state AND NOT EXISTS (\n                    SELECT 1 FROM kernel_legalmove\n                    WHERE lifecycle = TG_TABLE_NAME AND source = OLD.state AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% %: % may not become %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'legal_moves_only';\n                END IF;\n                IF NEW.id IS DISTINCT FROM OLD.id OR NEW.realm_id IS DISTINCT FROM OLD.realm_id OR NEW.person_id IS DISTINCT FROM OLD.person_id OR NEW.instrument_id IS DISTINCT FROM OLD.instrument_id OR NEW.channel IS DISTINCT FROM OLD.channel OR NEW.currency IS DISTINCT FROM OLD.currency OR NEW.amount_minor IS DISTINCT FROM OLD.amount_minor THEN\n                    RAISE EXCEPTION '% %: a column that names it was changed', TG_TABLE_NAME, OLD.id\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'identity_is_frozen';\n                END IF;\n                RETURN NEW;\n            ", hash='beba6d03f3615887d314ef9ecf6e7c11adee7be8', operation='UPDATE', pgid='pgtrigger_legal_moves_only_4ec88', table='billing_deduction', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='deduction',
            trigger=pgtrigger.compiler.Trigger(name='starts_legally', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF NEW.version <> 1 OR NOT EXISTS (\n                    SELECT 1 FROM kernel_legalmove\n                    WHERE lifecycle = TG_TABLE_NAME AND source = '' AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% may not begin as % (version %)', TG_TABLE_NAME, NEW.state, NEW.version\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'starts_legally';\n                END IF;\n                RETURN NEW;\n            ", hash='b7341303e7c591acadf87ba4d5a007cd6b400db6', operation='INSERT', pgid='pgtrigger_starts_legally_40de7', table='billing_deduction', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='deduction',
            trigger=pgtrigger.compiler.Trigger(name='every_step_is_told', sql=pgtrigger.compiler.UpsertTriggerSql(constraint='CONSTRAINT', func="\n                IF NOT EXISTS (\n                    SELECT 1 FROM billing_deductionevent\n                    WHERE subject_id = NEW.id AND seq = NEW.version AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% %: version % (%) has no line in billing_deductionevent',\n                        TG_TABLE_NAME, NEW.id, NEW.version, NEW.state USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'every_step_is_told';\n                END IF;\n                RETURN NULL;\n            ", hash='9cd03ccf98b59d8ad87b4fb67241fd257d412af0', operation='INSERT OR UPDATE', pgid='pgtrigger_every_step_is_told_25c5e', table='billing_deduction', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='deduction',
            trigger=pgtrigger.compiler.Trigger(name='never_deleted', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% rows are never deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'never_deleted';", hash='156cefcc5d7019a45142394f1eff274e08514dad', level='STATEMENT', operation='DELETE OR TRUNCATE', pgid='pgtrigger_never_deleted_f2f05', table='billing_deduction', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='walletentry',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='c50c0b09253b3e05952e5f040bb610b6da9e1efb', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_7283d', table='billing_walletentry', when='BEFORE')),
        ),
    ]
