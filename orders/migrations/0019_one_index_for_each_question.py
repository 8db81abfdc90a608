import django.db.models.deletion
from django.db import migrations, models

from kernel.field_indexes import WithoutIndex


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0019_one_index_for_each_question'),
        ('merchants', '0011_one_index_for_each_question'),
        ('orders', '0018_orders_held'),
    ]

    operations = [
        WithoutIndex(
            model_name='concernevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='orders.concern'),
        ),
        WithoutIndex(
            model_name='obligation',
            name='order',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='obligations', to='orders.order'),
        ),
        WithoutIndex(
            model_name='obligationevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='orders.obligation'),
        ),
        WithoutIndex(
            model_name='order',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant'),
        ),
        WithoutIndex(
            model_name='order',
            name='person',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='accounts.person'),
        ),
        WithoutIndex(
            model_name='orderevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='orders.order'),
        ),
    ]
