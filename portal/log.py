"""The log of changes: who changed what of a business, in words."""

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
    """Who changed what, in this mode and of the business as a whole."""
    return Change.objects.filter(merchant_id__in={business.merchant.id, business.live.id})


def names_of(bys: Iterable[str]) -> dict[str, str]:
    """Who each of these is: a member by what they sign in with, a key by its name, the platform as itself."""
    every = set(bys)
    members = {by: ids.parse("usr", by.partition(":")[2]) for by in every if by.startswith("member:")}
    keys = {by: ids.parse("key", by.partition(":")[2]) for by in every if by.startswith("merchant:")}
    users = {user.pk: str(user) for user in User.objects.filter(pk__in=filter(None, members.values()))}
    known = {key.pk: _key(key) for key in ApiKey.objects.filter(pk__in=filter(None, keys.values()))}
    names = {by: users[key] for by, key in members.items() if key in users}
    names |= {by: known[key] for by, key in keys.items() if key in known}
    return names | {by: _("The platform") for by in every if by.startswith(("system:", "staff:"))}


def _key(key: ApiKey) -> str:
    return _("Key %(name)s") % {"name": key.name or key.hint}


def subjects_of(rows: Sequence[Change]) -> dict[UUID, str]:
    """What each of these changes was about, where it has a name."""
    keys = {row.subject_id for row in rows}
    named: dict[UUID, str] = dict(Service.objects.filter(pk__in=keys).values_list("pk", "name"))
    named |= dict(WebhookEndpoint.objects.filter(pk__in=keys).values_list("pk", "url"))
    named |= dict(Order.objects.filter(pk__in=keys).values_list("pk", "title"))
    named |= {key.pk: key.name or key.hint for key in ApiKey.objects.filter(pk__in=keys)}
    people = Person.objects.filter(pk__in=keys).exclude(realm__mode="live")
    return named | {person.pk: person.reveal_name() or "" for person in people}
