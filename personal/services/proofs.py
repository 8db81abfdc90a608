"""守约证明: issue and revoke signed statements of facts that a person chooses."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import AccountEvent, Person
from kernel.actor import Actor
from kernel.models import LIVE
from kernel.refusal import FieldError, Invalid, Refusal
from personal import rules, signing
from personal.models import Proof
from personal.queries import provable_facts

#: How many proofs may be valid at a time.
VALID_PROOFS_MAX = 20
NUMBER_BYTES = 16


class TooManyProofs(Refusal):
    """The maximum number of proofs is valid already."""

    code, title = "too_many_proofs", _("You already have 20 valid proofs. Revoke one first.")


class FactNotTrue(Refusal):
    """A fact is not true now, so it is not signed."""

    code, status, title = "fact_not_so", 422, _("Choose at least one of the facts offered.")


@transaction.atomic
def issue_proof(person_id: UUID, facts: Collection[str], days: int, *, by: Actor, at: datetime) -> Proof:
    """Issue a signed statement of these facts as they are now; it contains nothing else about the person.

    Raises:
        NotFound: there is no such person, or their data was erased.
        FactNotTrue: one of the facts is not true now, or none was chosen.
        Invalid: the period is not offered.
        TooManyProofs: too many proofs are valid.
    """
    person = Person.objects.locked_active(person_id)
    known_facts = provable_facts(person)
    if not facts or set(facts) - known_facts.keys():
        raise FactNotTrue
    if days not in rules.PROOF_DAYS:
        raise Invalid(errors=[FieldError("/days", format_lazy(_("one of {choices}"), choices=str(rules.PROOF_DAYS)))])
    if Proof.objects.filter(person=person, revoked_at__isnull=True, expires_at__gt=at).count() >= VALID_PROOFS_MAX:
        raise TooManyProofs
    issued_at = at.replace(microsecond=0)
    proof = Proof(
        realm_id=person.realm_id,
        person=person,
        number=secrets.token_urlsafe(NUMBER_BYTES),
        facts=[name for name in rules.FACTS if name in facts],
        key_name=signing.signing_key_name(),
        issued_at=issued_at,
        expires_at=issued_at + timedelta(days=days),
    )
    claims = {
        "iss": settings.BASE_URL,
        "jti": proof.number,
        "iat": int(proof.issued_at.timestamp()),
        "exp": int(proof.expires_at.timestamp()),
        "facts": {name: known_facts[name] for name in proof.facts},
    }
    # Statements about test users are marked as such.
    proof.seal_statement(signing.sign(claims if person.realm_id == LIVE else claims | {"test": True}))
    proof.save(force_insert=True)
    AccountEvent.objects.create(person=person, kind="proof_issued", by=str(by), at=at, data={"facts": proof.facts})
    return proof


@transaction.atomic
def revoke_proof(person_id: UUID, proof_id: UUID, *, by: Actor, at: datetime) -> Proof:
    """Revoke a proof: from now on verification shows it as revoked. Idempotent.

    Raises:
        NotFound: missing, or another person's.
    """
    proof = Proof.objects.filter(person_id=person_id).locked(proof_id)
    if proof.revoked_at is None:
        proof.revoked_at = at
        proof.save(update_fields=["revoked_at"])
        AccountEvent.objects.create(person_id=person_id, kind="proof_revoked", by=str(by), at=at)
    return proof
