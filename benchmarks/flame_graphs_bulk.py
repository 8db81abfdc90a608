"""Flame graphs of webhooks, a settlement and an export, and the time inside PostgreSQL. `make bench-flames`."""

from benchmarks.crowd import Crowd
from benchmarks.exports import create_exporter, run_export
from benchmarks.measurement import scaled
from benchmarks.postgres_profile import PostgresProfile, explain_statements
from benchmarks.profiler import profiled, save_flame_graph
from benchmarks.settlement import busy_shop, run_settlement
from benchmarks.webhooks import ENDPOINTS, DeliveryRun, event_data, receiver, register_endpoints
from kernel.clock import live_now
from kernel.models import LIVE
from merchants.services import deliver_due

EVENTS, LINES, LISTED = scaled(12_000, 600), scaled(300_000, 5_000), scaled(100_000, 6_000)


def test_webhooks(crowd: Crowd, profile: PostgresProfile) -> None:
    assert crowd.realm_id == LIVE
    with receiver(0) as endpoint:
        data = event_data()
        register_endpoints(endpoint.url, ENDPOINTS)
        relay = DeliveryRun(endpoint.url, EVENTS, data)
        relay()
        relay.write()
        with profiled("webhooks", beside="receivers") as flame:
            deliver_due(LIVE, at=live_now(), limit=EVENTS)
        save_flame_graph(flame, f"{1000 * flame.seconds / 2 / EVENTS:.3f} ms for each delivery, on two threads")
        relay.write()
        with explain_statements() as log:
            deliver_due(LIVE, at=live_now(), limit=EVENTS)
        profile.write("a delivery", log, EVENTS)


def test_settlement(crowd: Crowd, profile: PostgresProfile) -> None:
    assert crowd.realm_id == LIVE
    shop = busy_shop(LINES)
    run_settlement(shop, LINES)
    with profiled("settlement") as flame:
        lines = run_settlement(shop, LINES)
    save_flame_graph(flame, f"{1000 * flame.seconds / lines:.4f} ms for each line, waiting included")
    with explain_statements() as log:
        run_settlement(shop, LINES)
    profile.write("a settlement's line", log, lines)


def test_export(crowd: Crowd, profile: PostgresProfile) -> None:
    assert crowd.realm_id == LIVE
    exporter = create_exporter(LISTED)
    run_export(exporter)
    with profiled("export") as flame:
        lines = run_export(exporter)
    save_flame_graph(flame, f"{1000 * flame.seconds / lines:.4f} ms for each line, waiting included")
    with explain_statements() as log:
        run_export(exporter)
    profile.write("an export's line", log, lines)
