from django.apps import AppConfig

from office import checks


class OfficeConfig(AppConfig):
    name = "office"
    #: Registered by being loaded.
    checks = (checks.second_step,)
