"""What granian serves: Django behind the front."""

from bnpl.files import allow_files
from bnpl.front import Front
from bnpl.wsgi import application as django

allow_files()
application = Front(django)
