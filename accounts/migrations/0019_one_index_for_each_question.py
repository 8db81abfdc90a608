import django.db.models.deletion
from django.db import migrations, models

from kernel.field_indexes import WithoutIndex


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0018_standard_words'),
        ('kernel', '0004_audit'),
    ]

    operations = [
        WithoutIndex(
            model_name='person',
            name='realm',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='people', to='kernel.realm'),
        ),
    ]
