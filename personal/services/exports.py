"""Copies of a person's data: request, download, and delete after their retention."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import account_notices
from accounts.models import AccountEvent, Person
from accounts.notice_rules import Phrase
from kernel import background_files
from kernel.actor import Actor
from kernel.refusal import NotFound, Refusal
from personal import rules
from personal.models import Export

#: How the retention is described in the notice.
RETENTION_TEXT = {"zh-hans": "备好后 {days} 天内可下载", "en": "available for {days} days once ready"}


class ExportExpired(Refusal):
    """The copy was deleted, or its creation failed."""

    code, status, title = "export_over", 410, _("This copy is no longer available. Request a new one.")


@transaction.atomic
def request_export(person_id: UUID, *, by: Actor, at: datetime) -> Export:
    """Request a copy. While one is being made, or was requested within a day, that one is returned.

    Raises:
        NotFound: there is no such person, or their data was erased.
    """
    person = Person.objects.locked_active(person_id)
    last = Export.objects.filter(person=person).order_by("-id").first()
    if last is not None and last.failed_at is None and (last.next_at or last.asked_at > at - rules.EXPORT_INTERVAL):
        return last
    export = Export.objects.create(realm_id=person.realm_id, person=person, asked_at=at, next_at=at)
    account_notices.notify_account_change(
        person, "copy_asked", Phrase(RETENTION_TEXT, {"days": str(rules.EXPORT_RETENTION.days)}), by=by, at=at
    )
    return export


def fetch_export(person_id: UUID, export_id: UUID, *, by: Actor, at: datetime) -> tuple[Export, Iterator[bytes]]:
    """The archive, in pieces.

    Raises:
        NotFound: missing, or another person's.
        ExportExpired: it is not ready yet, or was deleted.
    """
    export = Export.objects.filter(pk=export_id, person_id=person_id).first()
    if export is None:
        raise NotFound
    if not export.is_ready(at):
        raise ExportExpired
    AccountEvent.objects.create(person_id=person_id, kind="export_fetched", by=str(by), at=at)
    made_at = export.made_at or at
    return export, rules.stream_zip(
        ((file, export.iter_pieces(file=file.name)) for file in export.archive_files), made_at=made_at
    )


def prune_exports(*, at: datetime, limit: int = 20) -> int:
    """Delete expired copies. Returns how many."""
    return background_files.delete_expired(Export, at=at, limit=limit)


def delete_exports_of(person_id: UUID, *, at: datetime) -> None:
    """Delete all copies of a person whose data is erased, and cancel one being made."""
    for export in Export.objects.filter(person_id=person_id, emptied_at__isnull=True).select_for_update(no_key=True):
        if export.made_at is None and export.failed_at is None:
            export.next_at, export.failed_at = None, at
        export.emptied_at = at
        export.save(update_fields=["next_at", "failed_at", "emptied_at"])
        export.delete_pieces()
