import django.db.models.deletion
from django.db import migrations, models

from kernel.field_indexes import WithoutIndex


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0019_one_index_for_each_question'),
        ('credit', '0012_meant_for_a_phone'),
        ('merchants', '0010_blotted_returns'),
    ]

    operations = [
        WithoutIndex(
            model_name='agreement',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant'),
        ),
        WithoutIndex(
            model_name='agreementevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='credit.agreement'),
        ),
        WithoutIndex(
            model_name='currencylimit',
            name='person',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='currency_limits', to='accounts.person'),
        ),
    ]
