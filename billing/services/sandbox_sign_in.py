"""Sign-in links with which a merchant's developer opens the pages as one of their sandbox people."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import sandbox_links
from accounts.sandbox_links import SignInLink
from billing.services.sandbox_people import scripted_people
from kernel.actor import Actor
from kernel.refusal import NotFound
from merchants.models import Merchant
from merchants.services.change_log import record_change


@transaction.atomic
def create_sign_in_link(
    realm_id: int, person_id: UUID, *, to: str = "", by: Actor, at: datetime, real: datetime
) -> SignInLink:
    """Create a one-time link that signs a browser in as this scripted person, and record who asked for it.

    Raises:
        NotFound: there is no such scripted person in this sandbox. Real people never are.
    """
    person = scripted_people(realm_id).filter(pk=person_id).first()
    if person is None:
        raise NotFound
    for merchant_id in Merchant.objects.filter(realm_id=realm_id).values_list("id", flat=True):
        record_change(merchant_id, "person_opened", person.id, by=by, at=at)
    return sandbox_links.link_for(person, to=to, now=real)
