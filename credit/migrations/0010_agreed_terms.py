
from django.db import migrations, models


#: Whoever opened a service before agreed to what it says today, as far as anybody can tell.
THEIRS = '''
UPDATE credit_agreement a SET agreed_ceiling_minor = s.ceiling_minor, agreed_confirmation = s.confirmation,
       agreed_grace = s.grace, agreed_late_fee_daily_bps = s.late_fee_daily_bps,
       agreed_late_fee_cap_bps = s.late_fee_cap_bps
FROM merchants_service s WHERE s.id = a.service_id AND a.person_id IS NOT NULL
'''


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0014_return_words'),
        ('credit', '0009_first_limit_policy'),
        ('kernel', '0004_audit'),
        ('merchants', '0009_late_policy'),
    ]

    operations = [
        migrations.AddField(
            model_name='agreement',
            name='agreed_ceiling_minor',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='agreement',
            name='agreed_confirmation',
            field=models.BooleanField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='agreement',
            name='agreed_grace',
            field=models.DurationField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='agreement',
            name='agreed_late_fee_cap_bps',
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='agreement',
            name='agreed_late_fee_daily_bps',
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.RunSQL(THEIRS, migrations.RunSQL.noop),
    ]
