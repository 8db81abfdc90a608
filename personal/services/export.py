"""A copy of everything that is kept of a person: asked for, fetched, and thrown away after its time."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import reach
from accounts.models import AccountEvent, Person
from accounts.wording import Phrase
from kernel import background_files
from kernel.actor import Actor
from kernel.refusal import NotFound, Refusal
from personal import rules
from personal.models import Export

#: How it is told for how long.
KEPT = {"zh-hans": "备好后 {days} 天内可下载", "en": "available for {days} days once ready"}


class ExportOver(Refusal):
    """It was thrown away, or never came to be."""

    code, status, title = "export_over", 410, _("This copy is no longer available. Request a new one.")


@transaction.atomic
def ask_export(person_id: UUID, *, by: Actor, at: datetime) -> Export:
    """A person wants a copy. While one is being made, or was asked for within a day, it is that one.

    Raises:
        NotFound: there is no such person, or they have left.
    """
    person = Person.objects.staying(person_id)
    last = Export.objects.filter(person=person).order_by("-id").first()
    if last is not None and last.failed_at is None and (last.next_at or last.asked_at > at - rules.EXPORT_APART):
        return last
    made = Export.objects.create(realm_id=person.realm_id, person=person, asked_at=at, next_at=at)
    reach.tell(person, "copy_asked", Phrase(KEPT, {"days": str(rules.EXPORT_KEPT.days)}), by=by, at=at)
    return made


def fetch_export(person_id: UUID, export_id: UUID, *, by: Actor, at: datetime) -> tuple[Export, Iterator[bytes]]:
    """The archive, a piece at a time.

    Raises:
        NotFound: missing, or another person's.
        ExportOver: it is not ready, or not any more.
    """
    export = Export.objects.filter(pk=export_id, person_id=person_id).first()
    if export is None:
        raise NotFound
    if not export.ready(at):
        raise ExportOver
    AccountEvent.objects.create(person_id=person_id, kind="export_fetched", by=str(by), at=at)
    made = export.made_at or at
    return export, rules.archive(((file, export.read(file=file.name)) for file in export.packed), made_at=made)


def empty_exports(*, at: datetime, limit: int = 20) -> int:
    """Throw away what has expired. Returns how many copies that were."""
    return background_files.throw_away(Export, at=at, limit=limit)


def drop_exports(person_id: UUID, *, at: datetime) -> None:
    """Whoever leaves leaves no copy behind; one that is being made is not made any further."""
    for export in Export.objects.filter(person_id=person_id, emptied_at__isnull=True).select_for_update(no_key=True):
        if export.made_at is None and export.failed_at is None:
            export.next_at, export.failed_at = None, at
        export.emptied_at = at
        export.save(update_fields=["next_at", "failed_at", "emptied_at"])
        export.empty()
