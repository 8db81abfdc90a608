"""A time is written one way, in UTC with a Z, wherever a program of the merchant's meets it."""

import re

from tests.conftest import Shop
from tests.sandbox.ci_job import CiJob

TIME = re.compile(r"\d{4}-\d\d-\d\dT[^\"',\s]*")


def test_every_time_in_events_orders_and_files_ends_in_z(power_bank: Shop) -> None:
    job = CiJob(power_bank)
    late = job.complete_order(job.create_person("no_funds_until"))
    job.complete_order(job.create_person())
    job.advance("P12D")
    assert job.get_order(late)["state"] == "deducted"

    settlement = job.api.get("settlements").json()["data"][0]["id"]
    file = job.api.get(f"settlements/{settlement}/lines", HTTP_ACCEPT="text/csv")
    told = {
        "events": job.api.get("events?limit=100").content.decode(),
        "order": job.api.get(f"orders/{late}").content.decode(),
        "file": b"".join(file.streaming_content).decode(),
    }
    assert "next_attempt_at" in told["events"]
    for where, text in told.items():
        times = TIME.findall(text)
        assert times, where
        assert [time for time in times if not time.endswith("Z")] == [], where
