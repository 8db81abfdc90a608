"""What granian serves: Django behind the front."""

from bnpl.front import Front
from bnpl.wsgi import application as django

application = Front(django)
