"""Every code block of the guide runs as written, in a shell or in Python, against a real server."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import LazySettings
from pytest_django.live_server_helper import LiveServer
from standardwebhooks.webhooks import Webhook

from bnpl.guide import CHAPTERS, GUIDE_DIR
from kernel.clock import live_now
from tests.conftest import make_shop

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: A line that says, behind two spaces and a mark, what it prints.
SAYS = re.compile(r"^(?=.*(?:\||field|print|echo|state)).*?  # (.+)$", re.MULTILINE)
SHELL = shutil.which("bash") or "bash"
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RECEIVER_PORT = "9000"
#: What an empty environment has: requests and seconds.
AS_DELIVERED = {"read": (6000, 60), "write": (3000, 60), "address": (300, 60)}


def blocks(language: str, chapter: str) -> list[tuple[str, str]]:
    """The chapter's pieces of code with their language, in order."""
    return FENCE.findall((GUIDE_DIR / language / f"{chapter}.md").read_text(encoding="utf-8"))


def snippets(chapter: str, kind: str) -> list[str]:
    return [text for name, text in blocks("zh", chapter) if name == kind]


def expected_lines(code: list[str]) -> list[str]:
    """What the guide says is printed."""
    return [line for text in code for line in SAYS.findall(text)]


def run(argv: list[str], folder: Path, **env: str) -> list[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # its python3 is this one
    env = {**os.environ, "PATH": path, **env}
    ran = subprocess.run(argv, capture_output=True, text=True, cwd=folder, env=env, timeout=120, check=False)  # noqa: S603  our own words
    assert ran.returncode == 0, ran.stderr + ran.stdout
    return ran.stdout.splitlines()


def free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_both_languages_show_the_same_code(chapter: str) -> None:
    assert blocks("zh", chapter) == blocks("en", chapter)


@pytest.mark.parametrize("chapter", [name for name in CHAPTERS if snippets(name, "sh")])
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_shell_snippets_print_what_they_say(
    live_server: LiveServer, tmp_path: Path, settings: LazySettings, chapter: str
) -> None:
    settings.RATES = AS_DELIVERED
    tools, story = snippets("quickstart", "sh")[0], snippets(chapter, "sh")
    assert "export BNPL=" in tools
    assert "export KEY=" in tools
    tools = re.sub(r"^export .*\n", "", tools, flags=re.MULTILINE)
    lines = story[1:] if chapter == "quickstart" else story
    port = free_port()
    for text in snippets("webhooks", "python")[:1]:
        (tmp_path / "receiver.py").write_text(text.replace(RECEIVER_PORT, port), encoding="utf-8")
    script = "\n".join(["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", tools, *lines])
    script = script.replace(f"127.0.0.1:{RECEIVER_PORT}", f"127.0.0.1:{port}")
    shop = make_shop("来电充电宝")
    printed = run([SHELL, "-c", script], tmp_path, BNPL=f"{live_server.url}/v1", KEY=shop.secret)
    expected = expected_lines(lines)
    assert [line for line in printed if not line.startswith("webhook_endpoint.ping ")] == expected
    assert expected


@pytest.mark.parametrize("chapter", [name for name in CHAPTERS if name != "webhooks" and snippets(name, "python")])
@pytest.mark.django_db(transaction=True)
def test_python_snippets_print_what_they_say(live_server: LiveServer, tmp_path: Path, chapter: str) -> None:
    tools, story = snippets("quickstart", "python")[0], snippets(chapter, "python")
    code = story[1:] if chapter == "quickstart" else story
    shop = make_shop("来电充电宝")
    if chapter == "conventions":
        run_shell_first(live_server, tmp_path, chapter, shop.secret)
    program = "\n\n".join([tools, *code])
    printed = run([sys.executable, "-c", program], tmp_path, BNPL=f"{live_server.url}/v1", KEY=shop.secret)
    assert printed == expected_lines(code) != []


def run_shell_first(live_server: LiveServer, folder: Path, chapter: str, secret: str) -> None:
    """Python goes on where the chapter's shell stopped."""
    tools = re.sub(r"^export .*\n", "", snippets("quickstart", "sh")[0], flags=re.MULTILINE)
    script = "\n".join(["set -eu", tools, snippets(chapter, "sh")[0]])
    run([SHELL, "-c", script], folder, BNPL=f"{live_server.url}/v1", KEY=secret)


def test_retry_after_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `collect` does when it was asked for often enough."""
    code = snippets("idempotency", "python")[0].partition("\none = ")[0]
    tomorrow, shortly = ({"status_code": 429, "headers": {"Retry-After": wait}} for wait in ("86400", "2"))
    well, slept = {"status_code": 200, "headers": {}}, list[float]()
    answers = iter([SimpleNamespace(**each) for each in (tomorrow, shortly, well)])
    scope: dict[str, object] = {
        "httpx": SimpleNamespace(TransportError=OSError),
        "api": SimpleNamespace(post=lambda *_args, **_how: next(answers)),
    }
    monkeypatch.setattr("time.sleep", slept.append)
    exec(code, scope)  # noqa: S102  the guide's own lines
    safely = scope["safely"]
    assert callable(safely)
    assert safely("orders/x/collect", {}).status_code == 429
    assert slept == []
    assert safely("orders/x/collect", {}).status_code == 200
    assert [2 <= wait <= 2.4 for wait in slept] == [True]


@pytest.mark.django_db(transaction=True)
def test_the_event_feed_is_read_to_its_end(live_server: LiveServer, tmp_path: Path) -> None:
    code = [
        snippets("quickstart", "python")[0],
        *snippets("quickstart", "python")[1:],
        snippets("webhooks", "python")[2],
    ]
    shop = make_shop("来电充电宝")
    printed = run([sys.executable, "-c", "\n\n".join(code)], tmp_path, BNPL=f"{live_server.url}/v1", KEY=shop.secret)
    assert printed == expected_lines(code)


def test_both_verifications_accept_only_valid_signatures(tmp_path: Path) -> None:
    by_hand, by_library = snippets("webhooks", "python")[:2]
    body, now = json.dumps({"type": "order.opened", "title": "充电宝"}).encode(), live_now()
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": "v1,b3RoZXI= " + Webhook(SECRET).sign("evt_1", now, body.decode()),
    }
    for number, (code, name) in enumerate([(by_hand, "verified"), (by_library, "receive")]):
        path = tmp_path / f"way{number}.py"
        path.write_text(code, encoding="utf-8")
        scope: dict[str, object] = {"__name__": "guide"}
        exec(compile(code, path, "exec"), scope)  # noqa: S102  the guide's own lines
        verify = scope[name]
        assert callable(verify)
        assert verify(body, headers, SECRET) == json.loads(body)
        old = headers | {"webhook-timestamp": str(int(now.timestamp()) - 301)}
        for wrong_body, wrong in [(body + b" ", headers), (body, old), (body, headers | {"webhook-id": "evt_2"})]:
            with pytest.raises(Exception, match=r"."):
                verify(wrong_body, wrong, SECRET)
