import django.db.models.deletion
from django.db import migrations, models

from kernel.field_indexes import WithoutIndex


class Migration(migrations.Migration):

    dependencies = [
        ('kernel', '0004_audit'),
        ('merchants', '0010_blotted_returns'),
    ]

    operations = [
        WithoutIndex(
            model_name='event',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='merchants.merchant'),
        ),
        WithoutIndex(
            model_name='merchant',
            name='realm',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='merchants', to='kernel.realm'),
        ),
        WithoutIndex(
            model_name='merchantevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='merchants.merchant'),
        ),
    ]
