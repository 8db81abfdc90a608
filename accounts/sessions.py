"""What a session remembers, sealed: while somebody signs in it holds their phone number and the code sent to it."""

import json
from typing import Any

from kernel import sealed

_PLACE = "django_session.session_data"


class SealedSerializer:
    """Named by SESSION_SERIALIZER. Django signs what comes out of it, and starts a new session if it does not open."""

    def dumps(self, obj: Any) -> bytes:
        return sealed.seal(json.dumps(obj, separators=(",", ":")), place=_PLACE)

    def loads(self, data: bytes) -> Any:
        return json.loads(sealed.unseal(data, place=_PLACE))
