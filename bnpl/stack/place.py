"""Where the embedded services keep their files, and as whom they run: PostgreSQL refuses to be root."""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

NOBODY = "nobody"
SOCKET_PATH_MAX = 100  # the kernel takes 107 bytes (103 on macOS), and PostgreSQL's lock file is a little longer
OURS_ALONE = 0o700
LONGEST_SOCKET = ".s.PGSQL.5432.lock"


class CannotStartError(Exception):
    """Told to the person at the terminal, in one sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    state: Path
    sockets: Path
    user: str | None

    def folder(self, name: str) -> Path:
        """A folder of the services' own, which nobody else may open."""
        folder = self.state / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(OURS_ALONE)
        self.give(folder)
        return folder

    def give(self, path: Path) -> None:
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def program(self, package: str, inside: str, copied: tuple[str, ...]) -> Path | None:
        """A program out of an installed wheel, copied into the state folder when our user may not run it there."""
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        site = Path(spec.submodule_search_locations[0]).parent
        found = next(iter(sorted(site.glob(f"{package}/{inside}"))), None)
        if found is None or may_run(self.user, found):
            return found
        version = importlib.metadata.version(package)
        copy = self.state / "programs" / f"{package}-{version}"
        if not copy.is_dir():
            self.copy(site, copy, copied)
        return copy / found.relative_to(site)

    def copy(self, site: Path, copy: Path, names: tuple[str, ...]) -> None:
        half = copy.with_suffix(".new")
        shutil.rmtree(half, ignore_errors=True)
        for name in names:
            shutil.copytree(site / name, half / name, symlinks=True)
        copy.parent.chmod(0o755)
        for path in (half, *half.rglob("*")):
            self.give(path)
        half.rename(copy)


def may_run(user: str | None, path: Path) -> bool:
    """Whether this user can reach and execute it: every folder on the way counts, so the user itself is asked."""
    if user is None:
        return os.access(path, os.X_OK)
    asked = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$0"', str(path)],
        user=user,
        group=pwd.getpwnam(user).pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return asked.returncode == 0


def choose(home: Path) -> Place:
    """The state lies in `home`; when root's helper cannot walk there (a closed home folder), under /var/lib instead."""
    user = NOBODY if os.geteuid() == 0 else None
    state = home
    if user:
        home.chmod(0o711)  # our secrets in it are files of mode 0600
        state = home if may_run(user, home) else elsewhere(home)
    place = Place(state=state, sockets=state / "sockets", user=user)
    if len(str(place.sockets / LONGEST_SOCKET)) <= SOCKET_PATH_MAX:
        place.folder("sockets")
        return place
    mark = hashlib.sha256(str(state).encode()).hexdigest()[:10]
    short = Path(tempfile.gettempdir()) / f"bnpl-{os.geteuid()}-{mark}"
    return Place(state=state, sockets=claim(short, place), user=user)


def elsewhere(home: Path) -> Path:
    """A folder named in `home`, so that whoever removes `home` begins anew, without the old keys' data."""
    note = home / "state-folder"
    if not note.is_file():
        note.write_text(f"/var/lib/bnpl-{secrets.token_hex(5)}\n", encoding="utf-8")
    state = Path(note.read_text(encoding="utf-8").strip())
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o711)
    return state


def claim(folder: Path, place: Place) -> Path:
    """A short folder among everybody's temporary files: ours, or not used at all."""
    if not os.path.lexists(folder):
        folder.mkdir(mode=OURS_ALONE)
        place.give(folder)
    seen = folder.lstat()
    owner = pwd.getpwnam(place.user).pw_uid if place.user else os.geteuid()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != owner or stat.S_IMODE(seen.st_mode) != OURS_ALONE:
        raise CannotStartError(f"{folder} belongs to somebody else; set BNPL_HOME to a shorter path.")
    return folder
