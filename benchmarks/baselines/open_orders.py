"""`python -m benchmarks.baselines.open_orders COUNT`: creates this many open orders and prints their ids."""

import json
import os
import sys
import uuid

import django
from django.apps import apps
from django.db.models import F

CEILING = 100


def main(count: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.baselines.settings")
    django.setup()
    model = {one.__name__: one for one in apps.get_app_config("naive").get_models()}
    agreements = list(model["Agreement"].objects.all())
    each = -(-count // len(agreements))
    orders = [
        model["Order"](
            merchant_id=agreement.merchant_id,
            service_id=agreement.service_id,
            person_id=agreement.person_id,
            agreement=agreement,
            out_order_no=uuid.uuid4().hex[:32],
            state="open",
            title="充电宝",
            ceiling=CEILING,
        )
        for agreement in agreements
        for _ in range(each)
    ]
    model["Order"].objects.bulk_create(orders, batch_size=2000)
    model["OrderEvent"].objects.bulk_create(
        [model["OrderEvent"](order=order, seq=1, kind="opened") for order in orders], batch_size=2000
    )
    model["Agreement"].objects.update(live_orders=F("live_orders") + each)
    model["Profile"].objects.update(held_minor=F("held_minor") + each * CEILING, open_orders=F("open_orders") + each)
    json.dump([str(order.id) for order in orders], sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
