"""Queries of proposals for dual approval."""

from django.db.models import Q, QuerySet

from kernel.actor import Actor
from office.models import Proposal

SHOWN_MAX = 100


def open_proposals() -> QuerySet[Proposal]:
    """Open proposals, the earliest expiry first."""
    return Proposal.objects.filter(state=Proposal.State.OPEN).order_by("expires_at", "pk")


def decided_proposals() -> QuerySet[Proposal]:
    return Proposal.objects.exclude(state=Proposal.State.OPEN).order_by("-pk")


def unseen_decisions(by: Actor) -> QuerySet[Proposal]:
    """Decided proposals of this colleague that they have not seen yet."""
    return decided_proposals().filter(asked_by=str(by), seen_at__isnull=True)


def approval_counts(by: Actor, matters: set[str]) -> tuple[int, int]:
    """How many open proposals of these types the colleague may decide, and how many of their own are unseen."""
    own = Q(asked_by=str(by)) | Q(about=by.name)
    return open_proposals().filter(~own, matter__in=matters).count(), unseen_decisions(by).count()
