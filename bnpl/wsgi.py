"""Django as what serves it sees it, with everything loaded: the first caller of a new process waits for nothing."""

import os

from django.core.wsgi import get_wsgi_application
from django.template import engines
from django.urls import get_resolver

from bnpl import loaded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bnpl.settings")
application = get_wsgi_application()
# Django reads both when somebody asks, and a second and more of four callers' time go by meanwhile.
ADDRESSES = get_resolver().reverse_dict
ENGINES = engines.all()
loaded.keep()
