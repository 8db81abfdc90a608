"""The entry point for granian: Django behind the gateway."""

from bnpl.file_limits import raise_open_file_limit
from bnpl.gateway import Gateway
from bnpl.wsgi import application as django

raise_open_file_limit()
application = Gateway(django)
