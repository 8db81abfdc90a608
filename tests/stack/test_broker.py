"""The broker connection, broken in ways that tests with real processes meet only by chance."""

import pytest
from kombu.exceptions import OperationalError

from bnpl.broker import RETRY_INTERVAL_MAX_SECONDS, Connection, Transport
from bnpl.celery import app


def test_a_closed_channel_raises_a_connection_error() -> None:
    with app.connection_for_write() as connection:
        channel = connection.channel()
        errors = connection.connection_errors
    with pytest.raises(errors, match="closed"):
        channel.pool.get_connection()


def test_reconnection_pauses_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _seconds: None)
    with Connection("redis://127.0.0.1:1/0", transport_options={"socket_connect_timeout": 0.1}) as nobody:
        assert nobody.get_transport_cls() is Transport
        with pytest.raises(OperationalError):
            nobody.ensure_connection(lambda _error, pause: pauses.append(pause), 4)
    assert max(pauses) == RETRY_INTERVAL_MAX_SECONDS
