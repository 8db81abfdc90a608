"""/metrics: the work under way, for a collector of figures. Answered like the probes, before any other middleware.

Outside production the machine itself may ask. In production only who shows METRICS_TOKEN: behind a proxy on the same
host everybody looks like the machine itself.
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

from bnpl import system
from bnpl.work.figures import COUNT_MAX, under_way
from kernel.clock import live_now

LABELS = ["work", "mode", "of"]


class WorkCollector(Collector):
    """Asks when it is asked: no process keeps counts of its own."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        items = GaugeMetricFamily("bnpl_work_items", f"How much waits; counted up to {COUNT_MAX}.", labels=LABELS)
        oldest = GaugeMetricFamily("bnpl_work_oldest_seconds", "How long the oldest of it has waited.", labels=LABELS)
        state = GaugeMetricFamily("bnpl_work_state", "0 as it should be, 1 late, 2 stuck.", labels=LABELS)
        for figure in under_way(real=live_now()):
            labels = [figure.work, figure.mode, figure.of]
            state.add_metric(labels, figure.state)
            if figure.items is not None:
                items.add_metric(labels, figure.items)
            if figure.oldest is not None:
                oldest.add_metric(labels, figure.oldest.total_seconds())
        yield from (items, oldest, state)
        yield from (*_jobs(), _channels())


def _jobs() -> Iterator[GaugeMetricFamily]:
    """Of each job; none while the broker cannot be asked, which is a figure of its own."""
    since = GaugeMetricFamily("bnpl_job_since_seconds", "How long ago a job ran last, if it is known.", labels=["job"])
    late = GaugeMetricFamily("bnpl_job_late", "1 where a job's last run failed, or is missed.", labels=["job"])
    now = live_now()
    for job in system.jobs_if_asked(real=now) or ():
        late.add_metric([job.name], job.late)
        if job.last is not None:
            since.add_metric([job.name], (now - job.last.ended_at).total_seconds())
    yield from (since, late)


def _channels() -> GaugeMetricFamily:
    out = GaugeMetricFamily("bnpl_channel_out", "1 while a channel is declared out.", labels=["channel"])
    for name, is_out in system.channels_out().items():
        out.add_metric([name], is_out)
    return out


REGISTRY = CollectorRegistry(auto_describe=False)
REGISTRY.register(WorkCollector())


def metrics(request: HttpRequest) -> HttpResponse:
    """Every figure there is, or 503 when the database cannot be asked: then nobody knows."""
    if not _may_read(request):
        if settings.METRICS_TOKEN:
            return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
        return HttpResponse(status=404)
    try:
        return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
    except Error:
        return HttpResponse(status=503)


def _may_read(request: HttpRequest) -> bool:
    shown, token = request.headers.get("Authorization", ""), settings.METRICS_TOKEN
    if token and hmac.compare_digest(shown.encode(), f"Bearer {token}".encode()):
        return True
    return not settings.PRODUCTION and _is_this_machine(request.META.get("REMOTE_ADDR", ""))


def _is_this_machine(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
