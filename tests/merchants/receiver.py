"""A merchant's receiver of webhooks on this machine: real sockets, and any way to behave that a test wants."""

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
from tests.conftest import BY, NOON, Shop, opened, someone


@dataclass
class Request:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.path, dict(self.headers.items()), self.rfile.read(length))
        with self.server.lock:
            self.server.seen.append(request)
        self.close_connection = not self.server.keeps_lines
        self.server.behave(self, request)

    def answer(self, status: int = 200, body: bytes = b"ok", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


Behaviour = Callable[[Handler, Request], None]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behave: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave, self.seen, self.lock = behave, list[Request](), threading.Lock()
        self.ended = threading.Event()
        #: Whether a line stays open after an answer; how many were opened, and how many are now.
        self.keeps_lines, self.lines, self.open = False, 0, 0

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.lock:
            self.lines, self.open = self.lines + 1, self.open + 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.lock:
            self.open -= 1
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The line is cut on purpose, here and there."""

    def url(self, path: str = "/hooks", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server_address[1]}{path}"


def says(status: int = 200, body: bytes = b"ok", **headers: str) -> Behaviour:
    return lambda handler, _request: handler.answer(status, body, **headers)


def hangs(handler: Handler, _request: Request) -> None:
    """Takes the request and never answers."""
    handler.server.ended.wait(30)


@contextmanager
def receiver(behave: Behaviour | None = None, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(behave or says())
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
def listening(shop: Shop, behave: Behaviour | None = None, **how: Any) -> Iterator[Server]:
    """An endpoint of the shop's that behaves so, and one event on its way to it."""
    with receiver(behave, **how) as server:
        url = server.url(scheme="https" if how else "http")
        merchants.add_endpoint(shop.merchant.id, url, event_types=["agreement.*"], by=BY, at=NOON)
        opened(shop, someone(shop))
        yield server


def certificate_in(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself."""
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=home"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)  # noqa: S603
    return folder


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def the_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get(event__type="agreement.activated")
