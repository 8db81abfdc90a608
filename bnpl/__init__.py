"""The roof: settings, addresses, the Celery app and the stack that runs it all. It wires and does not think."""

VERSION = "0.1.0"
