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
    ]

    operations = [
        migrations.CreateModel(
            name='Agreement',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant')),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='agreements', to='merchants.service')),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='agreements', to='accounts.person')),
                ('person_ref', models.CharField(max_length=64)),
                ('return_url', models.CharField(blank=True, max_length=500)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('active', 'Active'), ('closing', 'Closing'), ('terminated', 'Terminated')], default='pending', max_length=50)),
                ('live_orders', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('activated_at', models.DateTimeField(blank=True, null=True)),
                ('closing_at', models.DateTimeField(blank=True, null=True)),
                ('terminated_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['merchant', '-id'], name='agreements_of_merchant'), models.Index(fields=['merchant', 'person_ref'], name='agreements_by_ref')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['active', 'closing'])), fields=('service', 'person'), name='a_person_opens_a_service_once'), models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'terminated']), ('person__isnull', False), _connector='OR'), name='only_a_pending_agreement_has_no_person')],
            },
        ),
        migrations.CreateModel(
            name='AgreementEvent',
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
                ('subject', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='history', to='credit.agreement')),
            ],
            options={
                'ordering': ['subject_id', 'seq'],
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('subject', 'seq'), name='agreementevent_has_no_twin')],
            },
        ),
        migrations.CreateModel(
            name='Decision',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='accounts.person')),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant')),
                ('agreement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='credit.agreement')),
                ('occasion', models.CharField(choices=[('opening', 'Opening'), ('order', 'Order')], max_length=7)),
                ('out_order_no', models.CharField(blank=True, max_length=32)),
                ('policy', models.CharField(max_length=20)),
                ('inputs', models.JSONField()),
                ('approved', models.BooleanField()),
                ('reasons', models.JSONField(blank=True, default=list)),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Profile',
            fields=[
                ('person', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='profile', serialize=False, to='accounts.person')),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('currency', models.CharField(default='CNY', max_length=3)),
                ('score', models.PositiveSmallIntegerField(default=650)),
                ('limit_minor', models.BigIntegerField()),
                ('held_minor', models.BigIntegerField(default=0)),
                ('outstanding_minor', models.BigIntegerField(default=0)),
                ('open_orders', models.PositiveIntegerField(default=0)),
                ('overdue_orders', models.PositiveIntegerField(default=0)),
                ('kept_orders', models.PositiveIntegerField(default=0)),
                ('breached_orders', models.PositiveIntegerField(default=0)),
                ('frozen_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('held_minor__gte', 0), ('limit_minor__gte', 0), ('outstanding_minor__gte', 0)), name='what_is_used_is_not_negative'), models.CheckConstraint(condition=models.Q(('score__range', (350, 950))), name='a_score_has_bounds')],
            },
        ),
        migrations.CreateModel(
            name='ScoreChange',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='score_changes', to='accounts.person')),
                ('reason', models.CharField(max_length=10)),
                ('order_id', models.UUIDField(blank=True, null=True)),
                ('score', models.PositiveSmallIntegerField()),
                ('delta', models.SmallIntegerField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agreement',
            trigger=pgtrigger.compiler.Trigger(name='legal_moves_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF NEW.version NOT IN (OLD.version, OLD.version + 1)\n                   OR (NEW.state <> OLD.state AND NEW.version = OLD.version) THEN\n                    RAISE EXCEPTION '% %: version % may not follow %', TG_TABLE_NAME, OLD.id, NEW.version, OLD.version\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'one_version_a_step';\n                END IF;\n                IF NEW.state <> OLD.state AND NOT EXISTS (\n                    SELECT 1 FROM kernel_legalmove\n                    WHERE lifecycle = TG_TABLE_NAME AND source = OLD.state AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% %: % may not become %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'legal_moves_only';\n                END IF;\n                IF NEW.id IS DISTINCT FROM OLD.id OR NEW.realm_id IS DISTINCT FROM OLD.realm_id OR NEW.merchant_id IS DISTINCT FROM OLD.merchant_id OR NEW.service_id IS DISTINCT FROM OLD.service_id THEN\n                    RAISE EXCEPTION '% %: a column that names it was changed', TG_TABLE_NAME, OLD.id\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'identity_is_frozen';\n                END IF;\n                RETURN NEW;\n            ", hash='09d81f54dc7cabb036e2fafafa213cbc7b27dbb9', operation='UPDATE', pgid='pgtrigger_legal_moves_only_c473a', table='credit_agreement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agreement',
            trigger=pgtrigger.compiler.Trigger(name='starts_legally', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF NEW.version <> 1 OR NOT EXISTS (\n                    SELECT 1 FROM kernel_legalmove\n                    WHERE lifecycle = TG_TABLE_NAME AND source = '' AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% may not begin as % (version %)', TG_TABLE_NAME, NEW.state, NEW.version\n                        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'starts_legally';\n                END IF;\n                RETURN NEW;\n            ", hash='778d909c691fe8d3932b9225035c358aacdc766c', operation='INSERT', pgid='pgtrigger_starts_legally_8f0e4', table='credit_agreement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agreement',
            trigger=pgtrigger.compiler.Trigger(name='every_step_is_told', sql=pgtrigger.compiler.UpsertTriggerSql(constraint='CONSTRAINT', func="\n                IF NOT EXISTS (\n                    SELECT 1 FROM credit_agreementevent\n                    WHERE subject_id = NEW.id AND seq = NEW.version AND target = NEW.state) THEN\n                    RAISE EXCEPTION '% %: version % (%) has no line in credit_agreementevent',\n                        TG_TABLE_NAME, NEW.id, NEW.version, NEW.state USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'every_step_is_told';\n                END IF;\n                RETURN NULL;\n            ", hash='0752657c9d45a78cd1097c18d797ac4e996c4850', operation='INSERT OR UPDATE', pgid='pgtrigger_every_step_is_told_364bf', table='credit_agreement', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agreement',
            trigger=pgtrigger.compiler.Trigger(name='never_deleted', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% rows are never deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'never_deleted';", hash='2c23392adf933bfb7c4f0fe6b3ae102a8bf61378', level='STATEMENT', operation='DELETE OR TRUNCATE', pgid='pgtrigger_never_deleted_def4e', table='credit_agreement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agreementevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='66f1f88dbf57078b68376ef2b33862278978bbf4', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_334d0', table='credit_agreementevent', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='decision',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='b2ac7b6faceab7cdbe9d5819a69084e4ae7936b2', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_9494b', table='credit_decision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='profile',
            trigger=pgtrigger.compiler.Trigger(name='a_hold_stays_within_the_limit', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n    IF NEW.held_minor > OLD.held_minor AND NEW.held_minor + NEW.outstanding_minor > NEW.limit_minor THEN\n        RAISE EXCEPTION 'a hold beyond the limit of %', NEW.person_id\n            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'a_hold_stays_within_the_limit';\n    END IF;\n    RETURN NEW;\n", hash='fd1a6b26a76544c5ac3c9c0da43f3f9bba363883', operation='UPDATE OF "held_minor"', pgid='pgtrigger_a_hold_stays_within_the_limit_90949', table='credit_profile', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='scorechange',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='b9b241d089fd6f727121a15331dd65734c7e0c02', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_e8664', table='credit_scorechange', when='BEFORE')),
        ),
    ]
