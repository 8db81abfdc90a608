from django.apps import AppConfig

from personal import checks


class PersonalConfig(AppConfig):
    name = "personal"
    #: Registered by being loaded.
    checks = (checks.proof_keys,)
