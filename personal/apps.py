from django.apps import AppConfig

from personal import checks


class PersonalConfig(AppConfig):
    name = "personal"
    #: Imported to register the checks.
    checks = (checks.proof_keys,)
