"""What the house is built of, as its settings say."""

from pathlib import Path

from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
#: Our own apps, from the ground up.
HOUSE = tuple(name for name in settings.INSTALLED_APPS if (ROOT / name / "apps.py").is_file())
