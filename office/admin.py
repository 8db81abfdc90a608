from django.contrib import admin

from kernel.admin_site import ByMode, HistoryAdmin, ReadOnlyAdmin
from kernel.columns import told
from kernel.templatetags.house import minor
from office import happened, wording
from office.models import Counted, Handling, HandlingNote, Listing, ListingPiece, Proposal, ProposalEvent, Tally
from office.services import forgetting

wording.name_them()
happened.name_them()
forgetting.heed_leaving()


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    list_display = ["day_on", "metric", "key", "number", "amount", "merchant", "service", "realm"]
    list_filter = [ByMode]
    list_select_related = ["merchant", "service", "realm"]
    search_fields = ["metric__exact"]
    found_by = {"mch": "merchant_id", "svc": "service_id"}
    ordering = ["-id"]

    amount = told(
        "amount_minor",
        "currency",
        says=lambda amount, currency: minor(amount, currency) if currency else "",
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
    found_by = {"prp": "subject_id"}


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
    found_by = {"usr": "user_id"}
    ordering = ["-id"]


@admin.register(ListingPiece)
class ListingPieceAdmin(ReadOnlyAdmin):
    list_display = ["listing", "number"]
    list_select_related = ["listing"]
    found_by = {"lst": "listing_id"}
    ordering = ["-id"]


@admin.register(Handling)
class HandlingAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "queue", "about", "user", "due_at", "changed_at"]
    list_select_related = ["user"]
    search_fields = ["queue__exact"]
    found_by = {"usr": "user_id", **dict.fromkeys(("ded", "cas", "brk", "dsp", "con", "whe"), "about")}
    ordering = ["-id"]


@admin.register(HandlingNote)
class HandlingNoteAdmin(ReadOnlyAdmin):
    personal = True
    list_display = ["public_id", "handling", "act", "user", "due_at", "by", "at"]
    list_select_related = ["handling", "user"]
    found_by = {"hnd": "handling_id", "usr": "user_id"}
    ordering = ["-id"]
