from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models.people import Person, User
from kernel import guards, ids


class AccountEvent(models.Model):
    """The history of an account or identity: what was done, when and by whom. Append-only, without personal data.

    A note of staff may contain some; it is redacted when the person's data is erased.
    """

    append_only: ClassVar[bool] = True
    erasable: ClassVar[tuple[str, ...]] = ("data",)

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="events")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="events")
    kind = models.CharField(max_length=40)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="an_event_is_about_somebody", condition=Q(user__isnull=False) | Q(person__isnull=False)
            ),
        ]
        triggers = guards.append_only_but_redactable(
            "data",
            {"note": guards.REDACTED_TEXT},
            where="OLD.data ? 'note'",
            protected=["id", "user_id", "person_id", "kind", "by", "at", "recorded_at"],
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.kind}"
