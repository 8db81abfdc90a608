from django.db import migrations, models

from kernel.guards import legal_moves

AGAIN = [
    ("sent", "waiting"),
    ("unknown", "waiting"),
    ("waiting", "sent"),
    ("waiting", "succeeded"),
]


class Migration(migrations.Migration):
    """What could not be given back yet waits, and is sent again under its number."""

    dependencies = [
        ('billing', '0017_two_people'),
        ('kernel', '0004_audit'),
    ]

    operations = [
        migrations.AddField(
            model_name='refundpart',
            name='again_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='refundpart',
            name='sends',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='payout',
            name='state',
            field=models.CharField(choices=[('prepared', 'Prepared'), ('sent', 'Sent'), ('unknown', 'Unknown'), ('waiting', 'Waiting'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('not_sent', 'Not Sent')], default='prepared', max_length=50),
        ),
        migrations.AlterField(
            model_name='refundpart',
            name='state',
            field=models.CharField(choices=[('prepared', 'Prepared'), ('sent', 'Sent'), ('unknown', 'Unknown'), ('waiting', 'Waiting'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('not_sent', 'Not Sent')], default='prepared', max_length=50),
        ),
        migrations.AddIndex(
            model_name='refundpart',
            index=models.Index(condition=models.Q(('again_at__isnull', False)), fields=['realm', 'again_at', 'id'], name='refund_parts_to_send'),
        ),
        migrations.AddConstraint(
            model_name='refundpart',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('again_at__isnull', False), ('state', 'waiting')), models.Q(models.Q(('state', 'waiting'), _negated=True), ('again_at__isnull', True)), _connector='OR'), name='only_a_waiting_part_is_sent_again'),
        ),
        legal_moves("billing_refundpart", AGAIN),
    ]
