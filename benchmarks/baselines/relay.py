"""`python -m benchmarks.baselines.relay COUNT URL`: an outbox sent row by row, as one writes it first.

Prints how many were sent, and in how many seconds.
"""

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.request

import django
from django.apps import apps
from django.utils.timezone import now

SECRET = b"whsec_naive"


def main(count: int, url: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.baselines.settings")
    django.setup()
    outbox = apps.get_app_config("naive").get_model("Outbox")
    merchant = apps.get_app_config("naive").get_model("Merchant").objects.get()
    outbox.objects.bulk_create(
        outbox(merchant=merchant, url=url, type="order.deducted", data={"id": f"ord_{place}"}) for place in range(count)
    )
    began, sent = time.perf_counter(), 0
    for row in outbox.objects.filter(sent_at=None).order_by("at").iterator():
        sent += send(row)
    json.dump({"units": sent, "seconds": time.perf_counter() - began, "cpu": time.process_time()}, sys.stdout)


def send(row) -> int:
    body = json.dumps({"type": row.type, "timestamp": row.at.isoformat(), "data": row.data}).encode()
    signed = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "webhook-id": str(row.id), "webhook-signature": signed}
    request = urllib.request.Request(row.url, body, headers)  # noqa: S310  our own receiver
    row.tries += 1
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310  the same
        row.sent_at = now()
    row.save()
    return 1


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
