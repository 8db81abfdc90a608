import django.db.models.deletion
from django.db import migrations, models

from kernel.field_indexes import WithoutIndex


class Migration(migrations.Migration):

    dependencies = [
        ('office', '0005_a_note_can_be_erased'),
    ]

    operations = [
        WithoutIndex(
            model_name='proposalevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='office.proposal'),
        ),
    ]
