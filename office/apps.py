from django.apps import AppConfig

from office import checks


class OfficeConfig(AppConfig):
    name = "office"
    #: Importing the checks registers them.
    checks = (checks.check_second_factor_required,)
