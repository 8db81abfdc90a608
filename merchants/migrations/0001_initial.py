import datetime
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
            name='Merchant',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='merchants', to='kernel.realm')),
                ('name', models.CharField(max_length=80)),
                ('contact', models.CharField(blank=True, max_length=200)),
                ('twin', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant')),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='merchants.merchant')),
                ('verb', models.CharField(max_length=40)),
                ('subject_id', models.UUIDField()),
                ('by', models.CharField(max_length=80)),
                ('at', models.DateTimeField()),
                ('data', models.JSONField(default=dict)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='api_keys', to='merchants.merchant')),
                ('name', models.CharField(blank=True, max_length=60)),
                ('digest', models.BinaryField(max_length=32, unique=True)),
                ('hint', models.CharField(max_length=20)),
                ('scopes', models.JSONField(default=list)),
                ('created_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Service',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='services', to='merchants.merchant')),
                ('name', models.CharField(max_length=40)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('industry', models.CharField(default='general', max_length=40)),
                ('mode', models.CharField(choices=[('fixed', 'Fixed'), ('dynamic', 'Dynamic')], max_length=7)),
                ('currency', models.CharField(default='CNY', max_length=3)),
                ('ceiling_minor', models.BigIntegerField()),
                ('confirmation', models.BooleanField(default=False)),
                ('score_min', models.PositiveSmallIntegerField(default=0)),
                ('funding', models.CharField(choices=[('on_collection', 'On Collection'), ('advance', 'Advance')], default='on_collection', max_length=13)),
                ('fee_bps', models.PositiveSmallIntegerField(default=60)),
                ('grace', models.DurationField(default=datetime.timedelta(days=3))),
                ('retry_policy', models.CharField(default='standard', max_length=20)),
                ('late_fee_daily_bps', models.PositiveSmallIntegerField(default=0)),
                ('late_fee_cap_bps', models.PositiveSmallIntegerField(default=0)),
                ('state', models.CharField(choices=[('active', 'Active'), ('paused', 'Paused')], default='active', max_length=6)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('ceiling_minor__gt', 0), ('ceiling_minor__lte', 1000000000000)), name='a_service_has_a_ceiling'), models.CheckConstraint(condition=models.Q(('fee_bps__lt', 10000)), name='a_fee_is_less_than_the_whole'), models.CheckConstraint(condition=models.Q(('grace__gte', datetime.timedelta(0))), name='a_grace_is_not_negative'), models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='service_currency_is_iso')],
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm')),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='merchants.merchant')),
                ('type', models.CharField(max_length=40)),
                ('subject_id', models.UUIDField()),
                ('sequence', models.PositiveIntegerField()),
                ('data', models.JSONField(default=dict)),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(models.F('merchant'), models.F('id'), name='event_feed')],
                'constraints': [models.UniqueConstraint(fields=('subject_id', 'sequence'), name='events_of_a_subject_are_numbered'), models.CheckConstraint(condition=models.Q(('sequence__gte', 1)), name='events_count_from_one')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='event',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='9f525e7926f7a6e1580b1c41175322ade6afe4e2', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_e1ded', table='merchants_event', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='change',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='33a3d0db9d6e1c0bcc2150c9e75f862b771dc22f', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_6e0f2', table='merchants_change', when='BEFORE')),
        ),
    ]
