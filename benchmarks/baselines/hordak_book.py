"""`python -m benchmarks.baselines.hordak_book MANY AT_ONCE BULK`: postings as one writes them with django-hordak.

One by one: `transfer_to`, each in a transaction of its own, by so many threads. In bulk: transactions and legs made and
inserted so many at a time. Prints how many were posted, in how many seconds.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from moneyed import Money


def main(many: int, at_once: int, bulk: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.baselines.hordak_settings"
    django.setup()
    call_command("migrate", verbosity=0)
    model = {one.__name__: one for one in apps.get_app_config("hordak").get_models()}
    accounts = [
        model["Account"].objects.create(name=name, code=code, type=kind, currencies=["CNY"])
        for name, code, kind in (("clearing", "1", "AS"), ("wallet", "2", "LI"))
    ]
    before, began = model["Transaction"].objects.count(), time.perf_counter()
    act = in_bulk if bulk else one_by_one
    act(model, accounts, many, bulk or at_once)
    seconds = time.perf_counter() - began
    posted = model["Transaction"].objects.count() - before
    for account in accounts:
        model["Account"].objects.filter(pk=account.pk).update(code=None)
    json.dump({"units": posted, "seconds": seconds, "cpu": time.process_time()}, sys.stdout)


def one_by_one(_model, accounts, many: int, at_once: int) -> None:
    wallet, clearing = accounts[1], accounts[0]

    def some(count: int) -> None:
        for _ in range(count):
            with transaction.atomic():
                wallet.transfer_to(clearing, Money("6.00", "CNY"))
        connection.close()

    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(some, [many // at_once] * at_once))


def in_bulk(model, accounts, many: int, bulk: int) -> None:
    six = Money("6.00", "CNY")
    for _ in range(many // bulk):
        with transaction.atomic():
            transactions = model["Transaction"].objects.bulk_create([model["Transaction"]() for _ in range(bulk)])
            model["Leg"].objects.bulk_create(
                leg
                for one in transactions
                for leg in (
                    model["Leg"](transaction=one, account=accounts[1], credit=six),
                    model["Leg"](transaction=one, account=accounts[0], debit=six),
                )
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
