from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('credit', '0010_agreed_terms'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='agreement',
            constraint=models.CheckConstraint(condition=models.Q(('person__isnull', True), models.Q(('agreed_ceiling_minor__isnull', False), ('agreed_confirmation__isnull', False), ('agreed_grace__isnull', False), ('agreed_late_fee_cap_bps__isnull', False), ('agreed_late_fee_daily_bps__isnull', False)), _connector='OR'), name='whoever_opens_a_service_agrees_to_its_terms'),
        ),
    ]
