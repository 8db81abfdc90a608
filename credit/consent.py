"""The terms a person agreed to when they opened a service. If the merchant changes the terms later, they have to agree
again.
"""

from django.db import models

from merchants.models import Service
from merchants.rules import LateTerms, ServiceTerms


class AgreedTerms(models.Model):
    """Mixin with the agreed terms; empty until somebody has agreed."""

    agreed_ceiling_minor = models.BigIntegerField(null=True, blank=True)
    agreed_confirmation = models.BooleanField(null=True, blank=True)
    agreed_grace = models.DurationField(null=True, blank=True)
    agreed_late_fee_daily_bps = models.PositiveSmallIntegerField(null=True, blank=True)
    agreed_late_fee_cap_bps = models.PositiveSmallIntegerField(null=True, blank=True)

    service: Service

    class Meta:
        abstract = True

    def set_agreed_terms(self, terms: ServiceTerms) -> None:
        self.agreed_ceiling_minor, self.agreed_confirmation = terms.ceiling_minor, terms.confirmation
        for name, value in terms.late.columns.items():
            setattr(self, f"agreed_{name}", value)

    @property
    def agreed_terms(self) -> ServiceTerms:
        """The agreed terms.

        Raises:
            ValueError: nobody has agreed yet.
        """
        grace, daily, cap = self.agreed_grace, self.agreed_late_fee_daily_bps, self.agreed_late_fee_cap_bps
        ceiling, confirmation = self.agreed_ceiling_minor, self.agreed_confirmation
        if ceiling is None or confirmation is None or grace is None or daily is None or cap is None:
            raise ValueError("Nobody has agreed to it.")
        return ServiceTerms(ceiling, confirmation, LateTerms(grace, daily, cap))

    @property
    def unconfirmed_max_minor(self) -> int:
        """The maximum amount of an order that needs no confirmation by the person."""
        agreed = self.agreed_ceiling_minor
        return self.service.ceiling_minor if agreed is None else min(agreed, self.service.ceiling_minor)

    def needs_confirmation(self, ceiling_minor: int) -> bool:
        """Whether an order with this ceiling has to be confirmed, by the service's or the agreed terms."""
        agreed = self.agreed_terms
        return self.service.confirmation or agreed.confirmation or ceiling_minor > agreed.ceiling_minor
