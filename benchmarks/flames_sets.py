"""Where the time of webhooks, a settlement and an export goes, as flames and inside PostgreSQL. `make bench-flames`."""

from benchmarks.crowd import Crowd
from benchmarks.exports import colleague, exported
from benchmarks.inside import Inside, explained
from benchmarks.sampler import kept, watched
from benchmarks.settling import busy_shop, settled
from benchmarks.weather import sized
from benchmarks.webhooks import ENDPOINTS, Relaying, listen, real_data, receiver
from kernel.clock import live_now
from kernel.models import LIVE
from merchants.services import deliver_due

TOLD, LINES, LISTED = sized(12_000, 600), sized(300_000, 5_000), sized(100_000, 6_000)


def test_webhooks(crowd: Crowd, inside: Inside) -> None:
    assert crowd.realm_id == LIVE
    with receiver(0) as there:
        data = real_data()
        listen(there.url, ENDPOINTS)
        relay = Relaying(there.url, TOLD, data)
        relay()
        relay.write()
        with watched("webhooks", beside="receivers") as flame:
            deliver_due(LIVE, at=live_now(), limit=TOLD)
        kept(flame, f"{1000 * flame.seconds / 2 / TOLD:.3f} ms for each delivery, on two threads")
        relay.write()
        with explained() as told:
            deliver_due(LIVE, at=live_now(), limit=TOLD)
        inside.write("a delivery", told, TOLD)


def test_settlement(crowd: Crowd, inside: Inside) -> None:
    assert crowd.realm_id == LIVE
    shop = busy_shop(LINES)
    settled(shop, LINES)
    with watched("settlement") as flame:
        lines = settled(shop, LINES)
    kept(flame, f"{1000 * flame.seconds / lines:.4f} ms for each line, waiting included")
    with explained() as told:
        settled(shop, LINES)
    inside.write("a settlement's line", told, lines)


def test_export(crowd: Crowd, inside: Inside) -> None:
    assert crowd.realm_id == LIVE
    lin = colleague(LISTED)
    exported(lin)
    with watched("export") as flame:
        lines = exported(lin)
    kept(flame, f"{1000 * flame.seconds / lines:.4f} ms for each line, waiting included")
    with explained() as told:
        exported(lin)
    inside.write("an export's line", told, lines)
