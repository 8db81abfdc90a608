"""Django's WSGI application, with everything loaded: the first request of a new process waits for no import."""

import os

from django.core.wsgi import get_wsgi_application
from django.template import engines
from django.urls import get_resolver

from bnpl import gc_tuning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bnpl.settings")
application = get_wsgi_application()
# Loaded here: Django would load both at the first requests, which takes a second or more of each.
URL_NAMES = get_resolver().reverse_dict
ENGINES = engines.all()
gc_tuning.freeze_loaded_objects()
