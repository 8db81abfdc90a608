"""BNPL_HOME: the folder that makes one running platform out of a checkout."""

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

from bnpl.stack.place import CannotStartError

CHECKOUT = Path(__file__).resolve().parent.parent.parent
OURS_ALONE = 0o600


@dataclass(frozen=True, slots=True)
class Home:
    folder: Path
    lock: IO[str]  # open for as long as we live: the kernel lets go of it however we end

    def read(self, name: str) -> Any:
        """What a file of ours says, or None before it was written."""
        file = self.folder / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    def write(self, name: str, content: object) -> None:
        """Whole or not at all, and for the owner's eyes only."""
        half = self.folder / f"{name}.new"
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OURS_ALONE), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        half.rename(self.folder / name)

    def secrets(self) -> dict[str, str]:
        """Made once. Without them the personal data in this home's database can never be read again."""
        if self.read("secrets.json") is None:
            made = {
                "SECRET_KEY": secrets.token_urlsafe(60),
                "PII_KEYS": "k1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
                "PROOF_KEYS": "p1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
                "BLIND_INDEX_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            }
            self.write("secrets.json", made)
        found: dict[str, str] = self.read("secrets.json")
        return found


def enter(folder: Path, address: str) -> Home:
    """Takes the home for ourselves, before anything is started in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (folder / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        whose = lock.read().strip()
        lock.close()
        raise CannotStartError(
            f"The platform is already running from {folder} ({whose}); stop that one first."
        ) from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()}, {address}\n")
    lock.flush()
    return Home(folder=folder, lock=lock)


def port_is_free(port: int) -> bool:
    """Asked by binding: granian would share a taken port without a word."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections may linger, listeners may not
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
