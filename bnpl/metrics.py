"""/metrics: the work in progress, for Prometheus. Answered like the probes, before any other middleware.

Outside production the local machine may read it. In production METRICS_TOKEN is required: behind a proxy on the same
host every client has a loopback address.
"""

import hmac
from collections.abc import Iterator
from ipaddress import ip_address

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bnpl import system_status
from bnpl.work.gauges import COUNT_MAX, read_gauges
from kernel.clock import live_now

LABELS = ["work", "mode", "of"]


class WorkCollector(Collector):
    """Reads the gauges at each scrape: no process keeps counters of its own."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        items = GaugeMetricFamily("bnpl_work_items", f"How much waits; counted up to {COUNT_MAX}.", labels=LABELS)
        oldest = GaugeMetricFamily("bnpl_work_oldest_seconds", "How long the oldest of it has waited.", labels=LABELS)
        state = GaugeMetricFamily("bnpl_work_state", "0 as it should be, 1 late, 2 stuck.", labels=LABELS)
        for gauge in read_gauges(real=live_now()):
            labels = [gauge.work, gauge.mode, gauge.group]
            state.add_metric(labels, gauge.state)
            if gauge.items is not None:
                items.add_metric(labels, gauge.items)
            if gauge.oldest is not None:
                oldest.add_metric(labels, gauge.oldest.total_seconds())
        yield from (items, oldest, state)
        yield from (*_job_metrics(), _channel_metrics())


def _job_metrics() -> Iterator[GaugeMetricFamily]:
    """Each job's last run; nothing while the broker is unavailable, which has a gauge of its own."""
    since = GaugeMetricFamily("bnpl_job_since_seconds", "How long ago a job ran last, if it is known.", labels=["job"])
    late = GaugeMetricFamily("bnpl_job_late", "1 where a job's last run failed, or is missed.", labels=["job"])
    now = live_now()
    for job in system_status.job_statuses_or_none(real=now) or ():
        late.add_metric([job.name], job.is_late)
        if job.last_run is not None:
            since.add_metric([job.name], (now - job.last_run.ended_at).total_seconds())
    yield from (since, late)


def _channel_metrics() -> GaugeMetricFamily:
    outages = GaugeMetricFamily("bnpl_channel_out", "1 while a channel is declared out.", labels=["channel"])
    for name, is_out in system_status.outages_by_channel().items():
        outages.add_metric([name], is_out)
    return outages


REGISTRY = CollectorRegistry(auto_describe=False)
REGISTRY.register(WorkCollector())


def metrics(request: HttpRequest) -> HttpResponse:
    """Every metric, or 503 when the database is unavailable."""
    if not _can_read(request):
        if settings.METRICS_TOKEN:
            return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
        return HttpResponse(status=404)
    try:
        return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
    except Error:
        return HttpResponse(status=503)


def _can_read(request: HttpRequest) -> bool:
    authorization, token = request.headers.get("Authorization", ""), settings.METRICS_TOKEN
    if token and hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        return True
    return not settings.PRODUCTION and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
