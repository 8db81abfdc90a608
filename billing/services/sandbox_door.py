"""A merchant's developer looks at the pages as one of their sandbox people would."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import sandbox_links
from accounts.sandbox_links import Link
from billing.services.people import people_of
from kernel.actor import Actor
from kernel.refusal import NotFound
from merchants.models import Merchant
from merchants.services.record import note


@transaction.atomic
def make_link(realm_id: int, person_id: UUID, *, to: str = "", by: Actor, at: datetime, real: datetime) -> Link:
    """A link that signs a browser in as this scripted person, once, and the line that says who asked for it.

    Raises:
        NotFound: there is no such scripted person in this sandbox. Real people are in none.
    """
    person = people_of(realm_id).filter(pk=person_id).first()
    if person is None:
        raise NotFound
    for merchant_id in Merchant.objects.filter(realm_id=realm_id).values_list("id", flat=True):
        note(merchant_id, "person_opened", person.id, by=by, at=at)
    return sandbox_links.link_for(person, to=to, real=real)
