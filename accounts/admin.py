"""Admin pages of accounts. Personal data is shown masked, to everybody."""

from typing import Any

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import rules
from accounts.models import (
    AccountEvent,
    Contact,
    Delivery,
    EnrolmentCode,
    LocalMessage,
    Notice,
    NoticeTemplate,
    Person,
    User,
)
from accounts.notice_rules import PLACEHOLDERS
from kernel import labels
from kernel.admin_columns import computed_column
from kernel.admin_site import ModeFilter, ReadOnlyAdmin
from kernel.labels import ACCOUNT, register_codes

register_codes(PLACEHOLDERS)
# The libraries' own admin pages could change rows, and show the secrets of authenticators.
for _foreign in (EmailAddress, EmailConfirmation, Authenticator, UserSession, Group):
    if admin.site.is_registered(_foreign):
        admin.site.unregister(_foreign)


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    list_display = ["roles", "name"]
    extra_fields = ("roles",)
    search_fields = ["name"]
    ordering = ["name"]

    @admin.display(description="roles", ordering="name")
    def roles(self, group: Group) -> str:
        return labels.role_labels([group.name])


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    is_personal_data = True
    list_display = ["public_id", "username", "phone_masked", "roles", "is_active", "joined_at"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["username__exact"]
    extra_fields = ("phone_masked", "roles")
    hidden_fields = frozenset({"password", "email"})
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return labels.role_labels(sorted(group.name for group in user.groups.all()))


@admin.register(Person)
class PersonAdmin(ReadOnlyAdmin):
    is_personal_data = True
    list_display = ["public_id", "name_masked", "phone_masked", "realm", "zone", "verified_at", "created_at"]
    list_filter = [ModeFilter]
    list_select_related = ["realm", "user"]
    search_fields = ["ref__exact"]
    id_lookups = {"usr": "user_id"}
    extra_fields = ("name_masked", "phone_masked", "mail_masked", "id_number_masked")
    ordering = ["-id"]

    name_masked = computed_column(
        "id",
        "name_sealed",
        compute=lambda key, name: Person(id=key, name_sealed=name).name_masked,
        description="name masked",
    )
    phone_masked = computed_column(
        "user_id",
        "user__phone_sealed",
        compute=lambda key, phone: User(id=key, phone_sealed=phone).phone_masked if key else "",
        description="phone masked",
    )


#: All kinds of account events.
EVENT_KINDS = (
    "registered",
    "signed_up",
    "signed_up_by_mail",
    "sign_up_ended",
    "phone_confirmed",
    "phone_changed",
    "mail_changed",
    "identity_verified",
    "language_chosen",
    "notices_chosen",
    "signed_in",
    "signed_out_elsewhere",
    "password_changed",
    "password_forgotten",
    "second_factor",
    "staff_created",
    "enrolment_code_given",
    "enrolment_code_used",
    "joined",
    "roles_changed",
    "left",
    "let_back_in",
    "copy_asked",
    "export_fetched",
    "erasure_asked",
    "erasure_withdrawn",
    "erased",
    "proof_issued",
    "proof_revoked",
)
register_codes(EVENT_KINDS, ACCOUNT)


@admin.register(AccountEvent)
class AccountEventAdmin(ReadOnlyAdmin):
    value_context = ACCOUNT
    list_display = ["kind", "user", "person", "by", "at"]
    list_select_related = ["user", "person"]
    search_fields = ["kind__exact", "by__exact"]
    id_lookups = {"usr": "user_id", "per": "person_id"}
    ordering = ["-id"]


@admin.register(EnrolmentCode)
class EnrolmentCodeAdmin(ReadOnlyAdmin):
    """Who was given an enrolment code, by whom and until when; never the code itself."""

    list_display = ["user", "by", "at", "ends_at", "spent_at"]
    list_select_related = ["user"]
    search_fields = ["by__exact"]
    id_lookups = {"usr": "user_id"}
    ordering = ["-id"]


@admin.register(LocalMessage)
class LocalMessageAdmin(ReadOnlyAdmin):
    """Recipient and time, but not the text, which may contain a valid code."""

    is_personal_data = True
    list_display = ["kind", "to_masked", "at"]
    list_filter = ["kind"]
    extra_fields = ("to_masked",)
    hidden_fields = frozenset({"to", "text"})
    ordering = ["-id"]

    to_masked = computed_column(
        "kind",
        "to",
        compute=lambda kind, to: rules.mask_phone(to) if kind == "sms" else rules.mask_mail(to),
        description="to",
    )


@admin.register(NoticeTemplate)
class NoticeTemplateAdmin(ReadOnlyAdmin):
    list_display = ["key", "language", "version", "subject", "reason", "by", "at"]
    list_filter = ["language"]
    search_fields = ["key__exact"]
    ordering = ["key", "language", "-version"]


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    is_personal_data = True
    list_display = ["public_id", "stage", "person", "subject", "due_at", "at"]
    list_filter = ["language", ModeFilter]
    list_select_related = ["person"]
    search_fields = ["stage__exact"]
    id_lookups = {"per": "person_id", "ord": "order_id", "obl": "about", "ded": "about"}
    ordering = ["-id"]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What was sent to whom, when and by which channel; the address itself is only on the person's page, masked."""

    list_display = ["public_id", "notice", "person", "channel", "state", "reason", "tries", "next_at", "sent_at"]
    list_filter = ["channel", "state", "collection", ModeFilter]
    list_select_related = ["notice", "person"]
    id_lookups = {"per": "person_id", "ntc": "notice_id"}
    ordering = ["-id"]


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "way", "outcome", "promised_on", "by", "at"]
    list_filter = ["way", "outcome", ModeFilter]
    list_select_related = ["person"]
    id_lookups = {"per": "person_id", "ord": "order_id"}
    is_personal_data = True
    ordering = ["-id"]
