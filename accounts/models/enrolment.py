"""Codes with which a colleague chooses a first password and sets up a first second factor."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.models.people import User
from kernel import ids


class EnrolmentCode(models.Model):
    """A one-time code for a first password, for a first second factor, or for both in one session."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="enrolment_codes")
    #: The code itself is stored nowhere.
    digest = models.BinaryField(max_length=32)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    ends_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["EnrolmentCode"]] = models.Manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="an_enrolment_code_has_an_end", condition=Q(ends_at__gt=F("at"))),
            models.CheckConstraint(
                name="an_enrolment_code_is_used_before_its_end",
                condition=Q(spent_at__isnull=True) | Q(spent_at__lt=F("ends_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.user_id}"
