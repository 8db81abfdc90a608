"""Personal data shows itself masked here: what is sealed stays sealed, whoever looks."""

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
from accounts.wording import PLACEHOLDERS
from kernel import naming
from kernel.admin_site import ByMode, ReadOnlyAdmin
from kernel.columns import told
from kernel.naming import ACCOUNT, name_codes

name_codes(PLACEHOLDERS)
# What comes with the libraries could be changed here, and an authenticator's row holds its secret.
for _foreign in (EmailAddress, EmailConfirmation, Authenticator, UserSession, Group):
    if admin.site.is_registered(_foreign):
        admin.site.unregister(_foreign)


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    list_display = ["roles", "name"]
    also = ("roles",)
    search_fields = ["name"]
    ordering = ["name"]

    @admin.display(description="roles", ordering="name")
    def roles(self, group: Group) -> str:
        return naming.roles([group.name])


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    personal = True
    list_display = ["public_id", "username", "phone_masked", "roles", "is_active", "joined_at"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["username__exact"]
    also = ("phone_masked", "roles")
    hidden = frozenset({"password", "email"})
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return naming.roles(sorted(group.name for group in user.groups.all()))


@admin.register(Person)
class PersonAdmin(ReadOnlyAdmin):
    personal = True
    list_display = ["public_id", "name_masked", "phone_masked", "realm", "zone", "verified_at", "created_at"]
    list_filter = [ByMode]
    list_select_related = ["realm", "user"]
    search_fields = ["ref__exact"]
    found_by = {"usr": "user_id"}
    also = ("name_masked", "phone_masked", "mail_masked", "id_number_masked")
    ordering = ["-id"]

    name_masked = told(
        "id",
        "name_sealed",
        says=lambda key, name: Person(id=key, name_sealed=name).name_masked,
        description="name masked",
    )
    phone_masked = told(
        "user_id",
        "user__phone_sealed",
        says=lambda key, phone: User(id=key, phone_sealed=phone).phone_masked if key else "",
        description="phone masked",
    )


#: What may have happened to an account.
HAPPENED = (
    "registered",
    "signed_up",
    "signed_up_by_mail",
    "sign_up_ended",
    "phone_confirmed",
    "phone_changed",
    "mail_changed",
    "identity_verified",
    "language_chosen",
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
name_codes(HAPPENED, ACCOUNT)


@admin.register(AccountEvent)
class AccountEventAdmin(ReadOnlyAdmin):
    speaks = ACCOUNT
    list_display = ["kind", "user", "person", "by", "at"]
    list_select_related = ["user", "person"]
    search_fields = ["kind__exact", "by__exact"]
    found_by = {"usr": "user_id", "per": "person_id"}
    ordering = ["-id"]


@admin.register(EnrolmentCode)
class EnrolmentCodeAdmin(ReadOnlyAdmin):
    """Who may come in, or set up a second step, by whose word and until when; never the code."""

    list_display = ["user", "by", "at", "ends_at", "spent_at"]
    list_select_related = ["user"]
    search_fields = ["by__exact"]
    found_by = {"usr": "user_id"}
    ordering = ["-id"]


@admin.register(LocalMessage)
class LocalMessageAdmin(ReadOnlyAdmin):
    """Whom and when, but not what: a text may hold a code that is still good."""

    personal = True
    list_display = ["kind", "to_masked", "at"]
    list_filter = ["kind"]
    also = ("to_masked",)
    hidden = frozenset({"to", "text"})
    ordering = ["-id"]

    to_masked = told(
        "kind",
        "to",
        says=lambda kind, to: rules.masked_phone(to) if kind == "sms" else rules.masked_mail(to),
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
    personal = True
    list_display = ["public_id", "stage", "person", "subject", "due_at", "at"]
    list_filter = ["language", ByMode]
    list_select_related = ["person"]
    search_fields = ["stage__exact"]
    found_by = {"per": "person_id", "ord": "order_id", "obl": "about", "ded": "about"}
    ordering = ["-id"]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What was sent, when, to whom and how; where to is read off the person, masked, on their own page."""

    list_display = ["public_id", "notice", "person", "channel", "state", "reason", "tries", "next_at", "sent_at"]
    list_filter = ["channel", "state", "collection", ByMode]
    list_select_related = ["notice", "person"]
    found_by = {"per": "person_id", "ntc": "notice_id"}
    ordering = ["-id"]


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "way", "outcome", "promised_on", "by", "at"]
    list_filter = ["way", "outcome", ByMode]
    list_select_related = ["person"]
    found_by = {"per": "person_id", "ord": "order_id"}
    personal = True
    ordering = ["-id"]
