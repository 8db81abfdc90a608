from django.contrib import admin

from kernel.admin_site import ReadOnlyAdmin
from portal.models import Invitation, Letter, Member


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "merchant__name", "user", "role", "joined_at", "removed_at"]
    list_filter = ["role"]
    list_select_related = ["merchant", "user"]
    id_lookups = {"mch": "merchant_id", "usr": "user_id"}
    ordering = ["-id"]


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "merchant__name", "role", "created_at", "expires_at", "accepted_at", "revoked_at"]
    list_filter = ["role"]
    list_select_related = ["merchant"]
    hidden_fields = frozenset({"email"})
    id_lookups = {"mch": "merchant_id"}
    ordering = ["-id"]


@admin.register(Letter)
class LetterAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "user", "kind", "at", "tries", "next_at", "sent_at"]
    list_filter = ["kind"]
    list_select_related = ["user"]
    id_lookups = {"usr": "user_id"}
    ordering = ["-id"]
