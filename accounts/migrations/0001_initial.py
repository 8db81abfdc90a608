import django.db.models.deletion
import django.db.models.functions.datetime
import kernel.ids
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('kernel', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='LocalMessage',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('sms', 'sms'), ('mail', 'mail')], max_length=4)),
                ('to', models.CharField(max_length=320)),
                ('text', models.TextField()),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('username', models.CharField(blank=True, max_length=64, null=True)),
                ('phone_sealed', models.BinaryField(null=True)),
                ('phone_index', models.BinaryField(max_length=32, null=True)),
                ('phone_verified_at', models.DateTimeField(blank=True, null=True)),
                ('email', models.EmailField(blank=True, max_length=254)),
                ('is_staff', models.BooleanField(default=False)),
                ('is_active', models.BooleanField(default=True)),
                ('language', models.CharField(choices=[('zh-hans', '简体中文'), ('en', 'English')], default='zh-hans', max_length=10)),
                ('joined_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('username',), name='a_username_belongs_to_one_user'), models.UniqueConstraint(fields=('phone_index',), name='a_phone_belongs_to_one_user'), models.CheckConstraint(condition=models.Q(models.Q(('phone_index__isnull', True), ('phone_sealed__isnull', True)), models.Q(('phone_index__isnull', False), ('phone_sealed__isnull', False)), _connector='OR'), name='a_phone_stands_with_its_index'), models.CheckConstraint(condition=models.Q(('phone_verified_at__isnull', True), ('phone_index__isnull', False), _connector='OR'), name='only_a_known_phone_is_verified'), models.CheckConstraint(condition=models.Q(models.Q(('is_staff', False), ('is_superuser', False)), ('username__isnull', False), _connector='OR'), name='staff_sign_in_by_username'), models.CheckConstraint(condition=models.Q(('is_active', False), ('username__isnull', False), ('phone_index__isnull', False), _connector='OR'), name='whoever_is_active_can_sign_in_by_something')],
            },
        ),
        migrations.CreateModel(
            name='Person',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('realm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='people', to='kernel.realm')),
                ('user', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='person', to=settings.AUTH_USER_MODEL)),
                ('ref', models.CharField(max_length=64)),
                ('name_sealed', models.BinaryField(null=True)),
                ('id_number_sealed', models.BinaryField(null=True)),
                ('id_number_index', models.BinaryField(max_length=32, null=True)),
                ('verified_at', models.DateTimeField(blank=True, null=True)),
                ('zone', models.CharField(default='Asia/Shanghai', max_length=40)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('realm', 'ref'), name='a_ref_names_one_person_of_its_realm'), models.UniqueConstraint(fields=('realm', 'id_number_index'), name='an_id_number_belongs_to_one_person_of_its_realm'), models.CheckConstraint(condition=models.Q(('ref', ''), _negated=True), name='a_ref_is_not_empty'), models.CheckConstraint(condition=models.Q(models.Q(('id_number_index__isnull', True), ('id_number_sealed__isnull', True), ('name_sealed__isnull', True), ('verified_at__isnull', True)), models.Q(('id_number_index__isnull', False), ('id_number_sealed__isnull', False), ('name_sealed__isnull', False), ('verified_at__isnull', False)), _connector='OR'), name='an_identity_is_known_whole_or_not_at_all')],
            },
        ),
        migrations.CreateModel(
            name='AccountEvent',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='accounts.person')),
                ('kind', models.CharField(max_length=40)),
                ('by', models.CharField(max_length=80)),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('data', models.JSONField(blank=True, default=dict)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('user__isnull', False), ('person__isnull', False), _connector='OR'), name='an_event_is_about_somebody')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accountevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT =  'append_only';", hash='9b1d109b3c9c83888bb437be27729a73248b286f', level='STATEMENT', operation='UPDATE OR DELETE OR TRUNCATE', pgid='pgtrigger_append_only_a5014', table='accounts_accountevent', when='BEFORE')),
        ),
    ]
