"""The line to the broker, where it breaks in ways the experiments with real processes meet by chance only."""

import pytest
from kombu.exceptions import OperationalError

from bnpl.broker import PAUSE_MAX_SECONDS, Connection, Transport
from bnpl.celery import app


def test_a_channel_whose_line_is_gone_is_a_lost_line_and_no_fault_of_the_program() -> None:
    with app.connection_for_write() as connection:
        channel = connection.channel()
        errors = connection.connection_errors
    with pytest.raises(errors, match="closed"):
        channel.pool.get_connection()


def test_the_broker_is_looked_for_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _seconds: None)
    with Connection("redis://127.0.0.1:1/0", transport_options={"socket_connect_timeout": 0.1}) as nobody:
        assert nobody.get_transport_cls() is Transport
        with pytest.raises(OperationalError):
            nobody.ensure_connection(lambda _error, pause: pauses.append(pause), 4)
    assert max(pauses) == PAUSE_MAX_SECONDS
