import datetime
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('scope', models.UUIDField()),
                ('key', models.CharField(max_length=255)),
                ('route', models.CharField(max_length=300)),
                ('request_hash', models.BinaryField(max_length=32)),
                ('status', models.PositiveSmallIntegerField()),
                ('content_type', models.CharField(max_length=60)),
                ('body', models.BinaryField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'indexes': [models.Index(fields=['created_at'], name='idempotency_oldest')],
                'constraints': [models.UniqueConstraint(fields=('scope', 'key'), name='a_key_has_one_answer')],
            },
        ),
        migrations.CreateModel(
            name='LegalMove',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lifecycle', models.CharField(max_length=63)),
                ('source', models.CharField(blank=True, max_length=20)),
                ('target', models.CharField(max_length=20)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('lifecycle', 'source', 'target'), name='a_move_is_named_once')],
            },
        ),
        migrations.CreateModel(
            name='Realm',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('clock_offset', models.DurationField(default=datetime.timedelta)),
                ('frozen_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('id', 1), ('mode', 'live')), models.Q(models.Q(('id', 1), _negated=True), ('mode', 'test')), _connector='OR'), name='only_realm_1_is_live'), models.CheckConstraint(condition=models.Q(models.Q(('mode', 'live'), _negated=True), models.Q(('clock_offset', datetime.timedelta(0)), ('frozen_at__isnull', True)), _connector='OR'), name='live_time_is_real_time')],
            },
        ),
    ]
