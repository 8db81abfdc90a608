"""What lets a colleague choose a first password, and set up a first second step."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.models.people import User
from kernel import ids


class EnrolmentCode(models.Model):
    """A code that a colleague shows once: for a first password, or beside it for a first second step. Or for both."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="enrolment_codes")
    #: What the code is known by. The code itself is kept nowhere.
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
