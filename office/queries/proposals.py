"""What waits for a second colleague, and what was decided of it."""

from django.db.models import Q, QuerySet

from kernel.actor import Actor
from office.models import Proposal

SHOWN_MAX = 100


def waiting() -> QuerySet[Proposal]:
    """What is open, what is over soonest first."""
    return Proposal.objects.filter(state=Proposal.State.OPEN).order_by("expires_at", "pk")


def decided() -> QuerySet[Proposal]:
    return Proposal.objects.exclude(state=Proposal.State.OPEN).order_by("-pk")


def unseen(by: Actor) -> QuerySet[Proposal]:
    """What this colleague asked for, and has not yet seen how it was decided."""
    return decided().filter(asked_by=str(by), seen_at__isnull=True)


def news(by: Actor, matters: set[str]) -> tuple[int, int]:
    """How much waits for this colleague, who decides these matters, and how much of theirs was decided unseen."""
    mine = Q(asked_by=str(by))
    return waiting().filter(~mine, matter__in=matters).count(), unseen(by).count()
