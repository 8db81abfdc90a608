"""All types of events that merchants receive, and the filters of webhook endpoints. Pure."""

from collections.abc import Iterable

#: Every event type with the id prefix of its subject; `sequence` counts the events of one subject. Events of a
#: deduction, an obligation, a refund, a return or a dispute have their order as subject.
EVENT_TYPES: dict[str, str] = {
    "agreement.activated": "agr",
    "agreement.closing": "agr",
    "agreement.terminated": "agr",
    "order.opened": "ord",
    "order.confirmed": "ord",
    "order.expired": "ord",
    "order.completed": "ord",
    "order.modified": "ord",
    "order.cancelled": "ord",
    "order.deducted": "ord",
    "order.overdue": "ord",
    "order.rescheduled": "ord",
    "order.caught_up": "ord",
    "deduction.succeeded": "ord",
    "deduction.failed": "ord",
    "obligation.paid": "ord",
    "obligation.waived": "ord",
    "obligation.written_off": "ord",
    "refund.succeeded": "ord",
    "refund.failed": "ord",
    "dispute.opened": "ord",
    "dispute.contested": "ord",
    "dispute.won": "ord",
    "dispute.lost": "ord",
    "return.opened": "ord",
    "return.advanced": "ord",
    "return.unanswered": "ord",
    "return.confirmed": "ord",
    "return.refused": "ord",
    "return.denied": "ord",
    "return.borne": "ord",
    "return.withdrawn": "ord",
    "settlement.paid": "stl",
    "settlement.returned": "stl",
    "webhook_endpoint.disabled": "whe",
    "webhook_endpoint.ping": "whe",
}
#: Events of returns hold a person's own words; these values replace them when the person is erased.
RETURN_EVENT_PREFIX = "return."
REDACTED_DATA = {"carrier": "***", "tracking_number": "***", "reason": "***"}
PING, DISABLED = "webhook_endpoint.ping", "webhook_endpoint.disabled"
ALL = "*"


def wildcard_filters() -> list[str]:
    """`order.*`, `deduction.*` …: the filters for all events of one kind."""
    return sorted({f"{name.partition('.')[0]}.{ALL}" for name in EVENT_TYPES})


def is_event_filter(text: str) -> bool:
    """Whether an endpoint can subscribe to this: a type, all types of one kind, or everything."""
    return text != PING and (text == ALL or text in EVENT_TYPES or text in wildcard_filters())


def matches_filters(filters: Iterable[str], name: str) -> bool:
    """Whether an endpoint with these filters receives this type of event. A ping goes only to the pinged endpoint."""
    return name != PING and not {ALL, name, f"{name.partition('.')[0]}.{ALL}"}.isdisjoint(filters)
