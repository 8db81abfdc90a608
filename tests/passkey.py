"""A passkey without a browser: it signs what it is asked to, as the hardware does."""

import json
import secrets
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import sha256
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

_FLAGS = AuthenticatorData.FLAG
_NAMELESS = bytes(16)


class Passkey:
    """One key for one house."""

    def __init__(self, origin: str = "https://testserver") -> None:
        self.origin, self.id = origin, secrets.token_bytes(32)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._count = 0

    def made(self, options: str) -> str:
        """The answer to being created."""
        asked = json.loads(options)["publicKey"]
        public = AttestedCredentialData.create(_NAMELESS, self.id, ES256.from_cryptography_key(self._key.public_key()))
        data = self._data(asked["rp"]["id"], _FLAGS.UP | _FLAGS.AT, public)
        attested = AttestationObject.create("none", data, {})
        client = self._client("webauthn.create", asked["challenge"])
        return self._told(clientDataJSON=client, attestationObject=bytes(attested))

    def shown(self, options: str) -> str:
        """The answer to being asked for."""
        asked = json.loads(options)["publicKey"]
        data, client = self._data(asked["rpId"], _FLAGS.UP), self._client("webauthn.get", asked["challenge"])
        signature = self._key.sign(bytes(data) + sha256(client), ec.ECDSA(SHA256()))
        return self._told(clientDataJSON=client, authenticatorData=bytes(data), signature=signature)

    def _data(self, house: str, flags: Any, public: Any = b"") -> AuthenticatorData:
        self._count += 1
        return AuthenticatorData.create(sha256(house.encode()), flags, self._count, public)

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _told(self, **response: bytes) -> str:
        told = {"id": _text(self.id), "rawId": _text(self.id), "type": "public-key", "clientExtensionResults": {}}
        return json.dumps(told | {"response": {name: _text(value) for name, value in response.items()}})


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
