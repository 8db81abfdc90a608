"""Tests of the code's structure and rules."""

from pathlib import Path

from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
#: Our own apps, from the lowest layer up.
OWN_APPS = tuple(name for name in settings.INSTALLED_APPS if (ROOT / name / "apps.py").is_file())
