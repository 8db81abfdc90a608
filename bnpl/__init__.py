"""The project package: settings, URLs, the Celery app and the local stack. It wires the apps, without domain logic."""

VERSION = "0.1.0"
