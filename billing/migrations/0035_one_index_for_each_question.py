import django.db.models.deletion
from django.db import migrations, models

from kernel.field_indexes import WithoutIndex


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0019_one_index_for_each_question'),
        ('billing', '0034_fewer_indexes_of_lines'),
        ('kernel', '0004_audit'),
        ('merchants', '0010_blotted_returns'),
    ]

    operations = [
        WithoutIndex(
            model_name='deduction',
            name='person',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deductions', to='accounts.person'),
        ),
        WithoutIndex(
            model_name='deductionevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='billing.deduction'),
        ),
        WithoutIndex(
            model_name='disputeanswer',
            name='dispute',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='answers', to='billing.dispute'),
        ),
        WithoutIndex(
            model_name='disputeevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='billing.dispute'),
        ),
        WithoutIndex(
            model_name='disputeline',
            name='dispute',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='billing.dispute'),
        ),
        WithoutIndex(
            model_name='invoice',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='merchants.merchant'),
        ),
        WithoutIndex(
            model_name='invoice',
            name='realm',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm'),
        ),
        WithoutIndex(
            model_name='invoiceline',
            name='invoice',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='billing.invoice'),
        ),
        WithoutIndex(
            model_name='payoutaccount',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='payout_accounts', to='merchants.merchant'),
        ),
        WithoutIndex(
            model_name='payoutaccountevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='billing.payoutaccount'),
        ),
        WithoutIndex(
            model_name='payoutevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='billing.payout'),
        ),
        WithoutIndex(
            model_name='refund',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant'),
        ),
        WithoutIndex(
            model_name='refundevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='billing.refund'),
        ),
        WithoutIndex(
            model_name='refundpartevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='billing.refundpart'),
        ),
        WithoutIndex(
            model_name='returnevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='billing.return'),
        ),
        WithoutIndex(
            model_name='settlement',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='settlements', to='merchants.merchant'),
        ),
        WithoutIndex(
            model_name='settlementevent',
            name='subject',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='billing.settlement'),
        ),
        WithoutIndex(
            model_name='statementfile',
            name='realm',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.realm'),
        ),
    ]
