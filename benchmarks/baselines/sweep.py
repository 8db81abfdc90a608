"""`python -m benchmarks.baselines.sweep ORDERS SECONDS_A_CHARGE`: one task for each obligation, as Celery would run it.

Prints how many were collected, and in how many seconds. The task is called instead of sent, which is kind to it.
"""

import json
import os
import sys
import time
import uuid

import django
from django.apps import apps
from django.db import transaction
from django.utils.timezone import now


def main(count: int, pause: float) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.baselines.settings")
    django.setup()
    model = {one.__name__: one for one in apps.get_app_config("naive").get_models()}
    due = owed(model, count)
    began = time.perf_counter()
    for key in due:
        collect(model, key, pause)
    seconds = time.perf_counter() - began
    paid = model["Obligation"].objects.filter(state="paid", pk__in=due).count()
    json.dump({"units": paid, "seconds": seconds, "cpu": time.process_time()}, sys.stdout)


def owed(model, count: int) -> list[uuid.UUID]:
    """So many completed orders, each owed by another person where there are enough."""
    agreements = list(model["Agreement"].objects.all()[:count])
    moment = now()
    orders = model["Order"].objects.bulk_create(
        model["Order"](
            merchant_id=agreement.merchant_id,
            service_id=agreement.service_id,
            agreement=agreement,
            person_id=agreement.person_id,
            out_order_no=uuid.uuid4().hex,
            state="completed",
            title="充电宝",
            ceiling=500,
            total=500,
            completed_at=moment,
        )
        for agreement in (agreements[place % len(agreements)] for place in range(count))
    )
    made = model["Obligation"].objects.bulk_create(
        model["Obligation"](order=order, person_id=order.person_id, amount_minor=500, due_at=moment, collect_at=moment)
        for order in orders
    )
    return [row.id for row in made]


def collect(model, key: uuid.UUID, pause: float) -> None:
    """The task."""
    with transaction.atomic():
        obligation = model["Obligation"].objects.select_for_update().get(pk=key)
        if obligation.state != "pending":
            return
        attempt = model["Attempt"].objects.create(obligation=obligation, amount_minor=obligation.amount_minor)
        obligation.state = "in_flight"
        obligation.save()
    txn = charge(pause)
    with transaction.atomic():
        attempt = model["Attempt"].objects.select_for_update().get(pk=attempt.pk)
        attempt.state, attempt.channel_txn = "succeeded", txn
        attempt.save()
        obligation = model["Obligation"].objects.select_for_update().select_related("order").get(pk=key)
        obligation.state, obligation.paid_minor, obligation.collect_at = "paid", obligation.amount_minor, None
        obligation.save()
        order = obligation.order
        order.state, order.deducted_at = "deducted", now()
        order.save()
        profile = model["Profile"].objects.select_for_update().get(pk=obligation.person_id)
        profile.outstanding_minor -= obligation.amount_minor
        profile.kept_orders += 1
        profile.save()
        model["Posting"].objects.create(
            order=order, kind="collected", debit="clearing", credit="receivable", amount_minor=obligation.amount_minor
        )
        model["OrderEvent"].objects.create(order=order, seq=order.history.count() + 1, kind="deducted")
        model["Outbox"].objects.create(merchant_id=order.merchant_id, type="order.deducted", data={"id": str(order.id)})


def charge(pause: float) -> str:
    """The channel: it takes the money, after so long."""
    time.sleep(pause)
    return uuid.uuid4().hex


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
