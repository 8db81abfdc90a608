"""The merchant's change log: who changed what, with names."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import Person, User
from kernel import ids
from merchants.models import ApiKey, Change, Service, WebhookEndpoint
from orders.models import Order
from portal.queries import Business


def changes_of(business: Business) -> QuerySet[Change]:
    """Changes in this mode, and of the business as a whole (recorded on its live merchant)."""
    return Change.objects.filter(merchant_id__in={business.merchant.id, business.live.id})


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
    names |= {key.pk: key.name or key.hint for key in ApiKey.objects.filter(pk__in=keys)}
    people = Person.objects.filter(pk__in=keys).exclude(realm__mode="live")
    return names | {person.pk: person.reveal_name() or "" for person in people}
