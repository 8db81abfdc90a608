from django.contrib import admin

from kernel.admin_site import ReadOnlyAdmin
from personal.models import Erasure, Export, ExportPiece, Proof


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "asked_at", "step", "rows", "tries", "made_at", "failed_at", "expires_at"]
    list_select_related = ["person"]
    id_lookups = {"per": "person_id"}
    ordering = ["-id"]


@admin.register(ExportPiece)
class ExportPieceAdmin(ReadOnlyAdmin):
    list_display = ["export", "file", "number"]
    list_select_related = ["export"]
    id_lookups = {"exp": "export_id"}
    ordering = ["-id"]


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "asked_at", "due_at", "hindered_by", "withdrawn_at", "erased_at"]
    list_select_related = ["person"]
    id_lookups = {"per": "person_id"}
    ordering = ["-id"]


@admin.register(Proof)
class ProofAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "facts", "key_name", "issued_at", "expires_at", "revoked_at"]
    list_select_related = ["person"]
    search_fields = ["number__exact"]
    id_lookups = {"per": "person_id"}
    ordering = ["-id"]
