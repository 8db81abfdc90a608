import django.db.models.deletion
from django.db import migrations, models

from kernel.field_indexes import WithoutIndex


class Migration(migrations.Migration):

    dependencies = [
        ('kernel', '0004_audit'),
        ('ledger', '0006_advances'),
    ]

    operations = [
        WithoutIndex(
            model_name='closedbalance',
            name='day',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='balances', to='ledger.closedday'),
        ),
        WithoutIndex(
            model_name='closedday',
            name='realm',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='closed_days', to='kernel.realm'),
        ),
        WithoutIndex(
            model_name='closedpart',
            name='day',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='parts', to='ledger.closedday'),
        ),
        WithoutIndex(
            model_name='posting',
            name='realm',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm'),
        ),
    ]
