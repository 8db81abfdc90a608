from django.db import migrations

from kernel.guards import legal_moves

MERCHANT = [
    ("", "active"),
    ("", "applied"),
    ("active", "suspended"),
    ("applied", "checked"),
    ("applied", "refused"),
    ("approved", "active"),
    ("approved", "applied"),
    ("approved", "refused"),
    ("checked", "applied"),
    ("checked", "approved"),
    ("checked", "refused"),
    ("suspended", "active"),
]
#: Whoever was there before has been let in: their history begins with that, under a key of the same moment.
JOINED = """
INSERT INTO merchants_merchantevent (id, subject_id, seq, kind, source, target, by, at, data)
SELECT id, id, 1, 'joined', '', 'active', 'system:migration', created_at, '{}' FROM merchants_merchant;
UPDATE merchants_merchant SET version = 1;
"""


class Migration(migrations.Migration):
    """What may become of a merchant, and that those who were there are active."""

    dependencies = [("merchants", "0005_joining"), ("kernel", "0002_live_realm")]
    operations = [legal_moves("merchants_merchant", MERCHANT), migrations.RunSQL(JOINED, migrations.RunSQL.noop)]
