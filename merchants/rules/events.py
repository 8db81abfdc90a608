"""Every type of event a merchant can hear of: the one list. Pure."""

from collections.abc import Iterable

#: What happens, by what it is told of: `sequence` counts the events of one such subject. A deduction, an
#: obligation, a refund, a return and a dispute are told among the events of their order.
TYPES: dict[str, str] = {
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
#: What the events of a return say in its person's own words, and what stands there once they have left.
RETURNS = "return."
BLOTTED = {"carrier": "***", "tracking_number": "***", "reason": "***"}
PING, DISABLED = "webhook_endpoint.ping", "webhook_endpoint.disabled"
ALL = "*"


def kinds() -> list[str]:
    """`order.*`, `deduction.*` …: every way to ask for all events of one kind."""
    return sorted({f"{name.partition('.')[0]}.{ALL}" for name in TYPES})


def is_filter(text: str) -> bool:
    """Whether an endpoint can ask for this: a type, all of one kind, or everything."""
    return text != PING and (text == ALL or text in TYPES or text in kinds())


def wants(filters: Iterable[str], name: str) -> bool:
    """Whether an endpoint with these filters hears of this type of event. A ping goes to whom it is sent alone."""
    return name != PING and not {ALL, name, f"{name.partition('.')[0]}.{ALL}"}.isdisjoint(filters)
