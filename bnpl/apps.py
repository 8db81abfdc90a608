"""The roof as a Django app. Importing the Celery app here makes it the one every `shared_task` belongs to."""

from django.apps import AppConfig

from bnpl.celery import app as celery_app

__all__ = ["BnplConfig", "celery_app"]


class BnplConfig(AppConfig):
    name = "bnpl"
