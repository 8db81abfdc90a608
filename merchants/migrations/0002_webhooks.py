
import django.db.models.deletion
import django.db.models.functions.datetime
import kernel.ids
import merchants.models.events
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('kernel', '0002_live_realm'),
        ('merchants', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookAttempt',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveSmallIntegerField()),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('status', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('latency_ms', models.PositiveIntegerField()),
                ('error', models.CharField(blank=True, max_length=40)),
                ('excerpt', models.CharField(blank=True, max_length=1000)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('delivered', 'Delivered'), ('given_up', 'Given Up')], default='pending', max_length=50)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('next_at', models.DateTimeField(blank=True, null=True)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, max_length=60)),
                ('created_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('url', models.CharField(max_length=500)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('event_types', models.JSONField(default=list)),
                ('state', models.CharField(choices=[('enabled', 'Enabled'), ('disabled', 'Disabled'), ('removed', 'Removed')], default='enabled', max_length=50)),
                ('disabled_because', models.CharField(blank=True, max_length=20)),
                ('disabled_at', models.DateTimeField(blank=True, null=True)),
                ('secret', models.BinaryField()),
                ('old_secret', models.BinaryField(blank=True, null=True)),
                ('old_secret_until', models.DateTimeField(blank=True, null=True)),
                ('failing_from', models.DateTimeField(blank=True, null=True)),
                ('failures', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.RemoveIndex(
            model_name='event',
            name='event_feed',
        ),
        migrations.AddField(
            model_name='event',
            name='request_id',
            field=models.CharField(blank=True, default='', max_length=40),
        ),
        migrations.AddField(
            model_name='event',
            name='xact',
            field=merchants.models.events.TransactionIdField(db_default=merchants.models.events.ThisTransaction(), editable=False),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(models.F('merchant'), models.F('xact'), models.F('id'), name='event_feed'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(models.F('merchant'), models.F('type'), models.F('xact'), models.F('id'), name='event_feed_of_type'),
        ),
        migrations.AddField(
            model_name='webhookattempt',
            name='realm',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm'),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='event',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='merchants.event'),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='realm',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm'),
        ),
        migrations.AddField(
            model_name='webhookattempt',
            name='delivery',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='merchants.webhookdelivery'),
        ),
        migrations.AddField(
            model_name='webhookendpoint',
            name='merchant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='webhook_endpoints', to='merchants.merchant'),
        ),
        migrations.AddField(
            model_name='webhookendpoint',
            name='realm',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm'),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='endpoint',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='merchants.webhookendpoint'),
        ),
        migrations.AddIndex(
            model_name='webhookattempt',
            index=models.Index(fields=['delivery', '-id'], name='attempts_of_delivery'),
        ),
        migrations.AddConstraint(
            model_name='webhookattempt',
            constraint=models.CheckConstraint(condition=models.Q(('status__isnull', False), models.Q(('error', ''), _negated=True), _connector='OR'), name='a_try_has_a_status_or_an_error'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='webhookattempt',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='dda849807521e0b92ca058515c58374565097adb', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_5cfda', table='merchants_webhookattempt', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='webhookendpoint',
            index=models.Index(condition=models.Q(('state', 'removed'), _negated=True), fields=['realm'], name='endpoints_of_realm'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'removed'), models.Q(('disabled_at__isnull', True), ('disabled_because', ''), ('state', 'enabled')), models.Q(('disabled_at__isnull', False), ('state', 'disabled'), models.Q(('disabled_because', ''), _negated=True)), _connector='OR'), name='a_disabled_endpoint_says_why'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('failing_from__isnull', True), ('failures', 0)), models.Q(('failing_from__isnull', False), ('failures__gt', 0)), _connector='OR'), name='an_endpoint_fails_since_its_first_failure'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('old_secret__isnull', True), ('old_secret_until__isnull', True)), models.Q(('old_secret__isnull', False), ('old_secret_until__isnull', False)), _connector='OR'), name='an_old_secret_has_an_end'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['endpoint', '-id'], name='deliveries_of_endpoint'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('next_at__isnull', False)), fields=['realm', 'next_at'], name='webhooks_due'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(models.F('endpoint'), models.F('next_at'), models.F('id'), condition=models.Q(('next_at__isnull', False)), name='webhooks_due_to_endpoint'),
        ),
        migrations.AddConstraint(
            model_name='webhookdelivery',
            constraint=models.UniqueConstraint(fields=('event', 'endpoint'), name='an_event_goes_to_an_endpoint_once'),
        ),
        migrations.AddConstraint(
            model_name='webhookdelivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('next_at__isnull', False), ('state', 'pending')), models.Q(models.Q(('state', 'pending'), _negated=True), ('ended_at__isnull', False), ('leased_until__isnull', True), ('next_at__isnull', True)), _connector='OR'), name='what_is_pending_has_a_next_time'),
        ),
        migrations.AddConstraint(
            model_name='webhookdelivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('reason', ''), ('state', 'given_up'), _negated=True), models.Q(('state', 'delivered'), ('tries', 0), _negated=True)), name='what_is_given_up_says_why'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='webhookdelivery',
            trigger=pgtrigger.compiler.Trigger(name='a_delivery_moves_legally', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (('pending', 'delivered'), ('pending', 'given_up'),\n                                                                ('delivered', 'pending'), ('given_up', 'pending')) THEN\n        RAISE EXCEPTION '% %: % may not become %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state\n            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'a_delivery_moves_legally';\n    END IF;\n    IF (NEW.id, NEW.realm_id, NEW.endpoint_id, NEW.event_id)\n       <> (OLD.id, OLD.realm_id, OLD.endpoint_id, OLD.event_id) THEN\n        RAISE EXCEPTION '% %: a column that names it was changed', TG_TABLE_NAME, OLD.id\n            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'identity_is_frozen';\n    END IF;\n    RETURN NEW;\n", hash='70a44819ba5b541418688c5c96e95c3fe10997b1', operation='UPDATE', pgid='pgtrigger_a_delivery_moves_legally_0a302', table='merchants_webhookdelivery', when='BEFORE')),
        ),
    ]
