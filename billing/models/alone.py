"""What one colleague may decide without a second, as PostgreSQL checks it."""

from collections import defaultdict

from django.db.models import Q

from billing.rules import two_people_from
from kernel.money import OFFERED


def small(minor: str, currency: str) -> Q:
    """The amount in these two columns is below what takes two in its currency, or there is none."""
    groups: dict[int, list[str]] = defaultdict(list)
    for code in sorted(OFFERED):
        groups[two_people_from(code)].append(code)
    found = Q((f"{minor}__isnull", True))
    for least, codes in sorted(groups.items()):
        found |= Q((f"{currency}__in", codes), (f"{minor}__lt", least))
    return found
