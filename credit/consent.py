"""What a person said yes to when they opened a service. What the merchant changes later is asked for anew."""

from django.db import models

from merchants.models import Service
from merchants.rules import LateTerms, Terms


class Agreed(models.Model):
    """The terms that were shown to whoever agreed; none while nobody has."""

    agreed_ceiling_minor = models.BigIntegerField(null=True, blank=True)
    agreed_confirmation = models.BooleanField(null=True, blank=True)
    agreed_grace = models.DurationField(null=True, blank=True)
    agreed_late_fee_daily_bps = models.PositiveSmallIntegerField(null=True, blank=True)
    agreed_late_fee_cap_bps = models.PositiveSmallIntegerField(null=True, blank=True)

    service: Service

    class Meta:
        abstract = True

    def agree_to(self, terms: Terms) -> None:
        self.agreed_ceiling_minor, self.agreed_confirmation = terms.ceiling_minor, terms.confirmation
        for name, value in terms.late.columns.items():
            setattr(self, f"agreed_{name}", value)

    @property
    def agreed(self) -> Terms:
        """Of one that somebody has agreed to.

        Raises:
            ValueError: nobody has.
        """
        grace, daily, cap = self.agreed_grace, self.agreed_late_fee_daily_bps, self.agreed_late_fee_cap_bps
        ceiling, confirmation = self.agreed_ceiling_minor, self.agreed_confirmation
        if ceiling is None or confirmation is None or grace is None or daily is None or cap is None:
            raise ValueError("Nobody has agreed to it.")
        return Terms(ceiling, confirmation, LateTerms(grace, daily, cap))

    @property
    def most_minor(self) -> int:
        """The most an order may come to without asking its person."""
        agreed = self.agreed_ceiling_minor
        return self.service.ceiling_minor if agreed is None else min(agreed, self.service.ceiling_minor)

    def asks_first(self, ceiling_minor: int) -> bool:
        """Whether an order of so much at most waits for its person: as the service wants it, or as was agreed."""
        agreed = self.agreed
        return self.service.confirmation or agreed.confirmation or ceiling_minor > agreed.ceiling_minor
