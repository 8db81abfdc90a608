"""The threshold for dual approval, as a condition for database constraints."""

from collections import defaultdict

from django.db.models import Q

from credit.rules import dual_approval_threshold
from kernel.money import OFFERED_CURRENCIES


def below_dual_approval(amount_column: str, currency_column: str) -> Q:
    """A condition: the amount in these two columns is null, or below the dual approval threshold of its currency."""
    groups: dict[int, list[str]] = defaultdict(list)
    for code in sorted(OFFERED_CURRENCIES):
        groups[dual_approval_threshold(code)].append(code)
    found = Q((f"{amount_column}__isnull", True))
    for least, codes in sorted(groups.items()):
        found |= Q((f"{currency_column}__in", codes), (f"{amount_column}__lt", least))
    return found
