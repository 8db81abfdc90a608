"""The project package as a Django app. Importing the Celery app here makes every `shared_task` belong to it."""

from django.apps import AppConfig

from bnpl.celery import app as celery_app

__all__ = ["BnplConfig", "celery_app"]


class BnplConfig(AppConfig):
    name = "bnpl"
