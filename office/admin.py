from django.contrib import admin

from kernel.admin_columns import computed_column
from kernel.admin_site import HistoryAdmin, ModeFilter, ReadOnlyAdmin
from kernel.templatetags.formatting import minor_amount
from office import event_labels, labels
from office.models import Counted, Handling, HandlingNote, Listing, ListingPiece, Proposal, ProposalEvent, Tally
from office.services import note_erasure

labels.register_labels()
event_labels.register_labels()
note_erasure.register_erasure_hooks()


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    list_display = ["day_on", "metric", "key", "number", "amount", "merchant", "service", "realm"]
    list_filter = [ModeFilter]
    list_select_related = ["merchant", "service", "realm"]
    search_fields = ["metric__exact"]
    id_lookups = {"mch": "merchant_id", "svc": "service_id"}
    ordering = ["-id"]

    amount = computed_column(
        "amount_minor",
        "currency",
        compute=lambda amount, currency: minor_amount(amount, currency) if currency else "",
        description="amount",
        ordering="amount_minor",
    )


@admin.register(Counted)
class CountedAdmin(ReadOnlyAdmin):
    list_display = ["stream", "counted_until", "last"]
    ordering = ["stream"]


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "matter", "about", "state", "asked_by", "decided_by", "expires_at", "decided_at"]
    list_filter = ["state"]
    search_fields = ["about__exact", "matter__exact", "asked_by__exact", "decided_by__exact"]
    ordering = ["-id"]


@admin.register(ProposalEvent)
class ProposalEventAdmin(HistoryAdmin):
    id_lookups = {"prp": "subject_id"}


@admin.register(Listing)
class ListingAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "user",
        "table",
        "kind",
        "asked_at",
        "rows",
        "tries",
        "made_at",
        "failed_at",
        "expires_at",
    ]
    list_filter = ["kind"]
    list_select_related = ["user"]
    search_fields = ["table__exact"]
    id_lookups = {"usr": "user_id"}
    ordering = ["-id"]


@admin.register(ListingPiece)
class ListingPieceAdmin(ReadOnlyAdmin):
    list_display = ["listing", "number"]
    list_select_related = ["listing"]
    id_lookups = {"lst": "listing_id"}
    ordering = ["-id"]


@admin.register(Handling)
class HandlingAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "queue", "about", "user", "due_at", "changed_at"]
    list_select_related = ["user"]
    search_fields = ["queue__exact"]
    id_lookups = {"usr": "user_id", **dict.fromkeys(("ded", "cas", "brk", "dsp", "con", "whe"), "about")}
    ordering = ["-id"]


@admin.register(HandlingNote)
class HandlingNoteAdmin(ReadOnlyAdmin):
    is_personal_data = True
    list_display = ["public_id", "handling", "act", "user", "due_at", "by", "at"]
    list_select_related = ["handling", "user"]
    id_lookups = {"hnd": "handling_id", "usr": "user_id"}
    ordering = ["-id"]
