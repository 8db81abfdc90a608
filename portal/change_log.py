"""The merchant's change log: who changed what of whom, in which mode, with names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import Person, User
from billing.models import PayoutAccount
from kernel import ids
from kernel.templatetags.formatting import percent, plain_datetime
from merchants.models import ApiKey, Change, Service, WebhookEndpoint
from orders.models import Order
from portal.labels import ROLE_LABELS
from portal.models import Invitation, Member
from portal.queries import Business

#: Changes of the business as a whole; they belong to no mode.
_BUSINESS_VERBS = frozenset({"member_invited", "member_joined", "invitation_revoked", "role_changed", "member_removed"})


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change as it is shown: what was done, to what and how, by whom, and in which mode."""

    verb: str
    subject: str
    details: str
    reason: str
    who: str
    at: datetime
    #: `live`, `test`, or empty if it concerns the whole business.
    mode: str


def changes_of(business: Business) -> QuerySet[Change]:
    """Changes in this mode, and of the business as a whole (recorded on its live merchant)."""
    return Change.objects.filter(merchant_id__in={business.merchant.id, business.live.id})


def change_lines(business: Business, rows: Sequence[Change]) -> list[ChangeLine]:
    """These changes as the page shows them."""
    names, subjects = actor_names(row.by for row in rows), subject_names(rows)
    return [
        ChangeLine(
            verb=row.verb,
            subject=subjects.get(row.subject_id, ""),
            details=_details(row.data),
            reason=str(row.data.get("reason", "")),
            who=names.get(row.by, row.by),
            at=row.at,
            mode="" if row.verb in _BUSINESS_VERBS else "live" if row.merchant_id == business.live.id else "test",
        )
        for row in rows
    ]


def _details(data: dict[str, Any]) -> str:
    """What a change of a role or a fee was from and to."""
    if "role" in data:
        roles = [data[key] for key in ("was", "role") if data.get(key)]
        return " → ".join(str(ROLE_LABELS.get(role, role)) for role in roles)
    if {"before", "bps", "since"} <= data.keys():
        fees = f"{percent(data['before'])} → {percent(data['bps'])}"
        return _("%(fees)s from %(since)s") % {
            "fees": fees,
            "since": plain_datetime(datetime.fromisoformat(data["since"])),
        }
    return ""


def actor_names(bys: Iterable[str]) -> dict[str, str]:
    """Display names of actors: a member by email, an API key by its name, the platform as "The platform"."""
    actors = set(bys)
    members = {by: ids.parse("usr", by.partition(":")[2]) for by in actors if by.startswith("member:")}
    keys = {by: ids.parse("key", by.partition(":")[2]) for by in actors if by.startswith("merchant:")}
    users = {user.pk: str(user) for user in User.objects.filter(pk__in=filter(None, members.values()))}
    key_names = {key.pk: _key_name(key) for key in ApiKey.objects.filter(pk__in=filter(None, keys.values()))}
    names = {by: users[key] for by, key in members.items() if key in users}
    names |= {by: key_names[key] for by, key in keys.items() if key in key_names}
    return names | {by: _("The platform") for by in actors if by.startswith(("system:", "staff:"))}


def _key_name(key: ApiKey) -> str:
    return _("Key %(name)s") % {"name": key.name or key.hint}


def subject_names(rows: Sequence[Change]) -> dict[UUID, str]:
    """The name of each change's subject, if it has one."""
    keys = {row.subject_id for row in rows}
    names: dict[UUID, str] = dict(Service.objects.filter(pk__in=keys).values_list("pk", "name"))
    names |= dict(WebhookEndpoint.objects.filter(pk__in=keys).values_list("pk", "url"))
    names |= dict(Order.objects.filter(pk__in=keys).values_list("pk", "title"))
    names |= {row.pk: str(row.user) for row in Member.objects.filter(pk__in=keys).select_related("user")}
    names |= {row.pk: row.sent_to for row in Invitation.objects.filter(pk__in=keys)}
    accounts = PayoutAccount.objects.filter(pk__in=keys)
    names |= {row.pk: f"{row.holder} · {row.bank} · {row.number_masked}" for row in accounts}
    names |= {key.pk: key.name or key.hint for key in ApiKey.objects.filter(pk__in=keys)}
    people = Person.objects.filter(pk__in=keys).exclude(realm__mode="live")
    return names | {person.pk: person.reveal_name() or "" for person in people}
