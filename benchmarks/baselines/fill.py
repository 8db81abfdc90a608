"""`python -m benchmarks.baselines.fill PEOPLE`: makes the baseline's tables and its merchant, and prints agreements."""

import hashlib
import json
import os
import sys

import django
from django.apps import apps
from django.core.management import call_command
from django.utils.timezone import now

SECRET = "sk_live_naive"  # noqa: S105


def main(people: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.baselines.settings")
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    model = {one.__name__: one for one in apps.get_app_config("naive").get_models()}
    merchant = model["Merchant"].objects.create(name="来电充电宝")
    model["ApiKey"].objects.create(merchant=merchant, digest=hashlib.sha256(SECRET.encode()).hexdigest())
    service = model["Service"].objects.create(merchant=merchant, name="充电宝", ceiling_minor=9900)
    persons = model["Person"].objects.bulk_create(
        [model["Person"](name="艾达", verified_at=now()) for _ in range(people)]
    )
    model["Profile"].objects.bulk_create([model["Profile"](person=person) for person in persons])
    made = model["Agreement"].objects.bulk_create(
        [model["Agreement"](merchant=merchant, service=service, person=person) for person in persons]
    )
    json.dump([str(agreement.id) for agreement in made], sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
