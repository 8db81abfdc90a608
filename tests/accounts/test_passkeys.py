"""Wrong answers of browsers about passkeys; tests/browser uses real ones."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache

from accounts import second_factor, services
from accounts.models import Person
from accounts.refusals import TooManyPasskeys
from kernel.models import LIVE
from tests.accounts.browser import ADA, NOON
from tests.accounts.test_second_factor import FACTOR, STEP, enter_phone_code, with_app
from tests.conftest import BY
from tests.unchanged import assert_unchanged

NEW = f"{FACTOR}/passkey"
RESPONSE = {"clientDataJSON": "e30", "attestationObject": "oA", "authenticatorData": "AA", "signature": "AA"}
CREDENTIAL = {"id": "AA", "rawId": "AA", "type": "public-key", "clientExtensionResults": {}}


def passkey_answer(**parts: bytes) -> str:
    """A credential whose parts are these bytes."""
    created = {name: urlsafe_b64encode(raw).rstrip(b"=").decode() for name, raw in parts.items()}
    return json.dumps({**CREDENTIAL, "response": {**RESPONSE, **created}})


#: What the readers of CBOR and JSON stumble over in ways of their own: too deep, cut off, empty.
STUMBLING = [
    *(passkey_answer(attestationObject=raw) for raw in (b"\x81" * 9_000, b"\xa1", b"", b"\x1b\x00", b"\xff", b"\x63a")),
    *(passkey_answer(authenticatorData=raw) for raw in (b"", b"\x00" * 37 + b"\x81" * 9_000, b"\xff" * 60)),
    passkey_answer(clientDataJSON=b"[" * 6_000),
    passkey_answer(clientDataJSON=b"\xff"),
]
NONSENSE = [
    *STUMBLING,
    *("", "null", "[]", "7", '"x"', "{", "{}", '{"id": 1}', "[" * 5000, "{" * 100_000, "\0", "a" * 30_000),
    json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}),
    json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": None}),
    json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": RESPONSE, "clientExtensionResults": {}}),
    json.dumps({"id": "AA", "rawId": "AA", "type": "other", "response": {**RESPONSE, "attestationObject": 3}}),
]


@pytest.fixture(autouse=True)
def _no_limit_used_up() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada(db: None) -> Person:
    return services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)


def test_the_challenge_is_for_this_host_and_names_nobody(ada: Person) -> None:
    here = enter_phone_code(ada)
    page = here.client.get(NEW)
    asked: dict[str, Any] = json.loads(page.context["options"])["publicKey"]
    assert asked["rp"]["id"] == "testserver"
    assert asked["user"]["name"] == asked["user"]["displayName"] == "138****1234"
    again = json.loads(here.client.get(NEW).context["options"])["publicKey"]
    assert asked["challenge"] != again["challenge"]
    assert "<script>" not in page.content.decode()


def test_an_answer_that_is_none_adds_nothing(ada: Person) -> None:
    here = enter_phone_code(ada)
    here.client.get(NEW)
    with assert_unchanged("django_session"):
        for answer in NONSENSE:
            assert here.send(NEW, credential=answer, name="x").status_code == 422, answer[:50]
        assert here.send(NEW).status_code == 422
    assert here.is_signed_in()


def test_an_answer_that_is_none_signs_nobody_in_and_guessing_ends(ada: Person) -> None:
    with_app(ada)
    half = enter_phone_code(ada)
    half.client.get(STEP)
    for answer in NONSENSE:
        assert half.send(STEP, credential=answer).status_code == 422, answer[:50]
    assert not half.is_signed_in()
    last = half.client.post(STEP, {"credential": "{}"}, headers={"accept-language": "en"})
    assert "Too many attempts" in last.content.decode()


def test_codes_come_with_the_first_and_nobody_has_eleven(ada: Person) -> None:
    assert ada.user
    made = [
        len(second_factor.add_passkey(ada.user.id, f" 我的\n手机 {n} " * 9, {"id": str(n)}, by=BY, at=NOON))
        for n in range(second_factor.PASSKEYS_MAX)
    ]
    assert made == [10] + [0] * 9
    names = [row.data["name"] for row in Authenticator.objects.filter(type="webauthn")]
    assert {len(name) for name in names} == {second_factor.NAME_MAX}
    with assert_unchanged(), pytest.raises(TooManyPasskeys):
        second_factor.add_passkey(ada.user.id, "x", {"id": "x"}, by=BY, at=NOON)
    for row in Authenticator.objects.filter(type="webauthn"):
        assert second_factor.has_second_factor(ada.user)
        second_factor.remove_factor(ada.user.id, row.pk, by=BY, at=NOON)
    assert not Authenticator.objects.exists()  # nor the codes
