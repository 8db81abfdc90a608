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
        ('credit', '0001_initial'),
        ('kernel', '0001_initial'),
        ('merchants', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant')),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.service')),
                ('agreement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='credit.agreement')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='accounts.person')),
                ('out_order_no', models.CharField(max_length=32)),
                ('asked_hash', models.BinaryField(max_length=32)),
                ('final_hash', models.BinaryField(blank=True, max_length=32, null=True)),
                ('state', models.CharField(choices=[('created', 'Created'), ('open', 'Open'), ('completed', 'Completed'), ('overdue', 'Overdue'), ('deducted', 'Deducted'), ('cancelled', 'Cancelled'), ('expired', 'Expired')], default='open', max_length=50)),
                ('mode', models.CharField(choices=[('fixed', 'Fixed'), ('dynamic', 'Dynamic')], max_length=7)),
                ('funding', models.CharField(choices=[('on_collection', 'On Collection'), ('advance', 'Advance')], max_length=13)),
                ('fee_bps', models.PositiveSmallIntegerField()),
                ('grace', models.DurationField()),
                ('late_fee_daily_bps', models.PositiveSmallIntegerField(default=0)),
                ('late_fee_cap_bps', models.PositiveSmallIntegerField(default=0)),
                ('title', models.CharField(max_length=100)),
                ('currency', models.CharField(max_length=3)),
                ('amount_minor', models.BigIntegerField(blank=True, null=True)),
                ('ceiling_minor', models.BigIntegerField()),
                ('total_minor', models.BigIntegerField(blank=True, null=True)),
                ('items', models.JSONField(blank=True, default=list)),
                ('discounts', models.JSONField(blank=True, default=list)),
                ('starts_at', models.DateTimeField(blank=True, null=True)),
                ('ends_at', models.DateTimeField(blank=True, null=True)),
                ('start_location', models.CharField(blank=True, max_length=100)),
                ('end_location', models.CharField(blank=True, max_length=100)),
                ('attach', models.CharField(blank=True, max_length=256)),
                ('metadata', models.JSONField(blank=True, default=dict)),
                ('cancel_reason', models.CharField(blank=True, max_length=100)),
                ('created_at', models.DateTimeField()),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('completed_at', models.DateTimeField(blank=True, null=True)),
                ('deducted_at', models.DateTimeField(blank=True, null=True)),
                ('overdue_at', models.DateTimeField(blank=True, null=True)),
                ('cancelled_at', models.DateTimeField(blank=True, null=True)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['merchant', '-id'], name='orders_of_merchant'), models.Index(fields=['person', '-id'], name='orders_of_person'), models.Index(condition=models.Q(('expires_at__isnull', False)), fields=['realm', 'expires_at'], name='orders_waiting')],
                'constraints': [models.UniqueConstraint(fields=('merchant', 'out_order_no'), name='an_order_number_is_used_once'), models.CheckConstraint(condition=models.Q(('ceiling_minor__gt', 0), ('ceiling_minor__lte', 1000000000000)), name='a_ceiling_is_positive'), models.CheckConstraint(condition=models.Q(('total_minor__isnull', True), models.Q(('total_minor__gte', 0), ('total_minor__lte', models.F('ceiling_minor'))), _connector='OR'), name='a_total_stays_under_its_ceiling'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['completed', 'overdue', 'deducted']), _negated=True), ('total_minor__isnull', False), _connector='OR'), name='a_completed_order_has_a_total')],
            },
        ),
        migrations.CreateModel(
            name='Obligation',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='obligations', to='orders.order')),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='obligations', to='accounts.person')),
                ('sequence', models.PositiveSmallIntegerField(default=1)),
                ('kind', models.CharField(choices=[('principal', 'Principal'), ('late_fee', 'Late Fee')], default='principal', max_length=9)),
                ('currency', models.CharField(max_length=3)),
                ('amount_minor', models.BigIntegerField()),
                ('paid_minor', models.BigIntegerField(default=0)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('overdue', 'Overdue'), ('paid', 'Paid'), ('waived', 'Waived')], default='pending', max_length=50)),
                ('due_at', models.DateTimeField()),
                ('overdue_from', models.DateTimeField(blank=True, null=True)),
                ('collect_at', models.DateTimeField(blank=True, null=True)),
                ('in_flight', models.UUIDField(blank=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('plan', models.JSONField(blank=True, default=list)),
                ('moved_at', models.DateTimeField(blank=True, null=True)),
                ('last_failure', models.JSONField(blank=True, null=True)),
                ('paused_at', models.DateTimeField(blank=True, null=True)),
                ('overdue_left', models.DurationField(blank=True, null=True)),
                ('day_end_at', models.DateTimeField(blank=True, null=True)),
                ('overdue_days', models.PositiveIntegerField(default=0)),
                ('bucket', models.CharField(blank=True, max_length=5)),
                ('fee_units', models.BigIntegerField(default=0)),
                ('day_end_error', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'ordering': ['order_id', 'sequence'],
                'indexes': [models.Index(condition=models.Q(('collect_at__isnull', False)), fields=['realm', 'collect_at'], name='obligations_due'), models.Index(condition=models.Q(('overdue_from__isnull', False)), fields=['realm', 'overdue_from'], name='obligations_going_overdue'), models.Index(condition=models.Q(('day_end_at__isnull', False), ('day_end_error', '')), fields=['realm', 'day_end_at'], name='obligations_day_end'), models.Index(condition=models.Q(('state__in', ['pending', 'overdue'])), fields=['person'], name='obligations_owed')],
                'constraints': [models.UniqueConstraint(fields=('order', 'sequence'), name='obligations_of_an_order_are_numbered'), models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0), ('paid_minor__gte', 0), ('paid_minor__lte', models.F('amount_minor'))), name='never_more_is_paid_than_owed'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'paid'), _negated=True), ('paid_minor', models.F('amount_minor')), _connector='OR'), name='paid_means_paid_in_full'), models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'overdue']), models.Q(('collect_at__isnull', True), ('overdue_from__isnull', True)), _connector='OR'), name='what_is_over_is_not_collected'), models.CheckConstraint(condition=models.Q(('paused_at__isnull', True), models.Q(('collect_at__isnull', True), ('day_end_at__isnull', True), ('overdue_from__isnull', True)), _connector='OR'), name='what_stands_still_is_not_due'), models.CheckConstraint(condition=models.Q(('in_flight__isnull', True), ('collect_at__isnull', True), _connector='OR'), name='in_flight_means_not_due')],
            },
        ),
        migrations.CreateModel(
            name='OrderEvent',
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
                ('subject', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='history', to='orders.order')),
            ],
            options={
                'ordering': ['subject_id', 'seq'],
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('subject', 'seq'), name='orderevent_has_no_twin')],
            },
        ),
        migrations.CreateModel(
            name='Pause',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pauses', to='orders.order')),
                ('reason', models.CharField(choices=[('problem_reported', 'Problem'), ('return_under_way', 'Return'), ('refund_in_flight', 'Refund'), ('hardship', 'Hardship'), ('channel_outage', 'Outage')], max_length=20)),
                ('began_at', models.DateTimeField()),
                ('began_by', models.CharField(max_length=80)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_by', models.CharField(blank=True, max_length=80)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('order', 'reason'), name='a_reason_holds_once'), models.CheckConstraint(condition=models.Q(('ended_at__isnull', True), ('ended_at__gte', models.F('began_at')), _connector='OR'), name='a_pause_ends_after_it_began')],
            },
        ),
        migrations.CreateModel(
            name='ObligationEvent',
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
                ('subject', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='history', to='orders.obligation')),
            ],
            options={
                'ordering': ['subject_id', 'seq'],
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('subject', 'seq'), name='obligationevent_has_no_twin')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='obligationevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='226173c8f6331d96620a606a6bb26dc7ee945288', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_e7026', table='orders_obligationevent', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='order',
            trigger=pgtrigger.compiler.Trigger(name='legal_moves_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF NEW.version NOT IN (OLD.version, OLD.version + 1)\n                   OR (NEW.state <> OLD.state AND NEW.version = OLD.version) THEN\n                    RAISE EXCEPTION '% %: version % may not follow %', TG_TABLE_NAME, OLD.id, NEW.version, OLD.version\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'one_version_a_step';\n                END IF;\n                IF NEW.state <> OLD.state AND NOT EXISTS (\n                    SELECT 1 FROM kernel_legalmove\n                    WHERE lifecycle = TG_TABLE_NAME AND source = OLD.state AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% %: % may not become %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'legal_moves_only';\n                END IF;\n                IF NEW.id IS DISTINCT FROM OLD.id OR NEW.realm_id IS DISTINCT FROM OLD.realm_id OR NEW.merchant_id IS DISTINCT FROM OLD.merchant_id OR NEW.person_id IS DISTINCT FROM OLD.person_id OR NEW.agreement_id IS DISTINCT FROM OLD.agreement_id OR NEW.out_order_no IS DISTINCT FROM OLD.out_order_no OR NEW.currency IS DISTINCT FROM OLD.currency OR NEW.ceiling_minor IS DISTINCT FROM OLD.ceiling_minor THEN\n                    RAISE EXCEPTION '% %: a column that names it was changed', TG_TABLE_NAME, OLD.id\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'identity_is_frozen';\n                END IF;\n                RETURN NEW;\n            ", hash='6f1e4a24d90759174eee294a45a30f058921b940', operation='UPDATE', pgid='pgtrigger_legal_moves_only_1e73a', table='orders_order', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='order',
            trigger=pgtrigger.compiler.Trigger(name='starts_legally', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF NEW.version <> 1 OR NOT EXISTS (\n                    SELECT 1 FROM kernel_legalmove\n                    WHERE lifecycle = TG_TABLE_NAME AND source = '' AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% may not begin as % (version %)', TG_TABLE_NAME, NEW.state, NEW.version\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'starts_legally';\n                END IF;\n                RETURN NEW;\n            ", hash='50246efedbbc1a64e236329e507b4594b70f4a82', operation='INSERT', pgid='pgtrigger_starts_legally_9b00e', table='orders_order', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='order',
            trigger=pgtrigger.compiler.Trigger(name='every_step_is_told', sql=pgtrigger.compiler.UpsertTriggerSql(constraint='CONSTRAINT', func="\n                IF NOT EXISTS (\n                    SELECT 1 FROM orders_orderevent\n                    WHERE subject_id = NEW.id AND seq = NEW.version AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% %: version % (%) has no line in orders_orderevent',\n                        TG_TABLE_NAME, NEW.id, NEW.version, NEW.state USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'every_step_is_told';\n                END IF;\n                RETURN NULL;\n            ", hash='08d1fd63b05b2e1c3acb85259b322d9d6c3499f7', operation='INSERT OR UPDATE', pgid='pgtrigger_every_step_is_told_b5a28', table='orders_order', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='order',
            trigger=pgtrigger.compiler.Trigger(name='never_deleted', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% rows are never deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'never_deleted';", hash='06144c1683ef8fd78e8595966f7e6d0270f34d98', level='STATEMENT', operation='DELETE OR TRUNCATE', pgid='pgtrigger_never_deleted_4fa22', table='orders_order', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='obligation',
            trigger=pgtrigger.compiler.Trigger(name='legal_moves_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF NEW.version NOT IN (OLD.version, OLD.version + 1)\n                   OR (NEW.state <> OLD.state AND NEW.version = OLD.version) THEN\n                    RAISE EXCEPTION '% %: version % may not follow %', TG_TABLE_NAME, OLD.id, NEW.version, OLD.version\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'one_version_a_step';\n                END IF;\n                IF NEW.state <> OLD.state AND NOT EXISTS (\n                    SELECT 1 FROM kernel_legalmove\n                    WHERE lifecycle = TG_TABLE_NAME AND source = OLD.state AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% %: % may not become %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'legal_moves_only';\n                END IF;\n                IF NEW.id IS DISTINCT FROM OLD.id OR NEW.realm_id IS DISTINCT FROM OLD.realm_id OR NEW.order_id IS DISTINCT FROM OLD.order_id OR NEW.person_id IS DISTINCT FROM OLD.person_id OR NEW.currency IS DISTINCT FROM OLD.currency THEN\n                    RAISE EXCEPTION '% %: a column that names it was changed', TG_TABLE_NAME, OLD.id\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'identity_is_frozen';\n                END IF;\n                RETURN NEW;\n            ", hash='0282728b498dd837440937396c7ee486f76ff857', operation='UPDATE', pgid='pgtrigger_legal_moves_only_1eb20', table='orders_obligation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='obligation',
            trigger=pgtrigger.compiler.Trigger(name='starts_legally', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF NEW.version <> 1 OR NOT EXISTS (\n                    SELECT 1 FROM kernel_legalmove\n                    WHERE lifecycle = TG_TABLE_NAME AND source = '' AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% may not begin as % (version %)', TG_TABLE_NAME, NEW.state, NEW.version\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'starts_legally';\n                END IF;\n                RETURN NEW;\n            ", hash='d8134fc8dbb54c85222e827041341b44804149af', operation='INSERT', pgid='pgtrigger_starts_legally_a788e', table='orders_obligation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='obligation',
            trigger=pgtrigger.compiler.Trigger(name='every_step_is_told', sql=pgtrigger.compiler.UpsertTriggerSql(constraint='CONSTRAINT', func="\n                IF NOT EXISTS (\n                    SELECT 1 FROM orders_obligationevent\n                    WHERE subject_id = NEW.id AND seq = NEW.version AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% %: version % (%) has no line in orders_obligationevent',\n                        TG_TABLE_NAME, NEW.id, NEW.version, NEW.state USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'every_step_is_told';\n                END IF;\n                RETURN NULL;\n            ", hash='4e8dc82fccb4d6a35d776e9da2050877ac2a42e0', operation='INSERT OR UPDATE', pgid='pgtrigger_every_step_is_told_64d0f', table='orders_obligation', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='obligation',
            trigger=pgtrigger.compiler.Trigger(name='never_deleted', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% rows are never deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'never_deleted';", hash='d864ae9ec7aad84e647bf8d92fd4f5d3caa52f6c', level='STATEMENT', operation='DELETE OR TRUNCATE', pgid='pgtrigger_never_deleted_d1cc9', table='orders_obligation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='orderevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='592ff9c43bc573422416cfa70a0a3e4769769697', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_39cdb', table='orders_orderevent', when='BEFORE')),
        ),
    ]
