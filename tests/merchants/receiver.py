"""A webhook receiver on real local sockets, with any behaviour that a test needs."""

import http.server
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from merchants import services as merchants
from merchants.models import WebhookDelivery
from tests.conftest import BY, NOON, Shop, make_agreement, make_person


@dataclass
class Request:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "ReceiverServer"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.path, dict(self.headers.items()), self.rfile.read(length))
        with self.server.lock:
            self.server.requests.append(request)
        self.close_connection = not self.server.keep_alive
        self.server.behave(self, request)

    def respond(self, status: int = 200, body: bytes = b"ok", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


Behaviour = Callable[[Handler, Request], None]


class ReceiverServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behave: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave, self.requests, self.lock = behave, list[Request](), threading.Lock()
        self.ended = threading.Event()
        #: Whether connections stay open after a response; how many were opened, and how many are open now.
        self.keep_alive, self.connections_opened, self.connections_open = False, 0, 0

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.lock:
            self.connections_opened, self.connections_open = self.connections_opened + 1, self.connections_open + 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.lock:
            self.connections_open -= 1
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: some tests cut connections on purpose."""

    def url(self, path: str = "/hooks", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server_address[1]}{path}"


def respond_with(status: int = 200, body: bytes = b"ok", **headers: str) -> Behaviour:
    return lambda handler, _request: handler.respond(status, body, **headers)


def never_respond(handler: Handler, _request: Request) -> None:
    """Read the request and never respond."""
    handler.server.ended.wait(30)


@contextmanager
def receiver(behave: Behaviour | None = None, *, tls: ssl.SSLContext | None = None) -> Iterator[ReceiverServer]:
    server = ReceiverServer(behave or respond_with())
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def endpoint_with_event(shop: Shop, behave: Behaviour | None = None, **how: Any) -> Iterator[ReceiverServer]:
    """An endpoint of the shop with this behaviour, and one event that is due to it."""
    with receiver(behave, **how) as server:
        url = server.url(scheme="https" if how else "http")
        merchants.add_endpoint(shop.merchant.id, url, event_types=["agreement.*"], by=BY, at=NOON)
        make_agreement(shop, make_person(shop))
        yield server


def create_certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1."""
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=home"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)  # noqa: S603
    return folder


def server_tls_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def only_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get(event__type="agreement.activated")
