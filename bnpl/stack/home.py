"""BNPL_HOME: the directory with the state of one local platform."""

import base64
import fcntl
import json
import os
import secrets
import socket
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bnpl.stack.runtime_dirs import CannotStartError

PROJECT_DIR = Path(__file__).resolve().parent.parent.parent
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Home:
    folder: Path
    lock: IO[str]  # held open while we run: the kernel releases it however we end

    def read(self, name: str) -> Any:
        """The content of one of its JSON files, or None before it was written."""
        file = self.folder / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    def write(self, name: str, content: object) -> None:
        """Write a JSON file atomically, readable by its owner only."""
        new = self.folder / f"{name}.new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self.folder / name)

    def secrets(self) -> dict[str, str]:
        """The generated secrets. Without them, the personal data in this home's database cannot be decrypted."""
        if self.read("secrets.json") is None:
            generated = {
                "SECRET_KEY": secrets.token_urlsafe(60),
                "PII_KEYS": "k1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
                "PROOF_KEYS": "p1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
                "BLIND_INDEX_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            }
            self.write("secrets.json", generated)
        stored: dict[str, str] = self.read("secrets.json")
        return stored


def lock_home(folder: Path, address: str) -> Home:
    """Lock the home, so that only one platform runs from it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (folder / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise CannotStartError(
            f"The platform is already running from {folder} ({holder}); stop that one first."
        ) from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()}, {address}\n")
    lock.flush()
    return Home(folder=folder, lock=lock)


def port_is_free(port: int) -> bool:
    """Tested by binding the port: granian would silently share one that is in use."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections may linger, listeners may not
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
