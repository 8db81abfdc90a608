"""Hash trees, as in RFC 6962: a leaf is hashed with 0x00 before it, two nodes with 0x01. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Step:
    """One node on the way up, and on which side of ours it stands: `left` or `right`."""

    side: str
    node: bytes


def leaf(text: str) -> bytes:
    return sha256(b"\x00" + text.encode()).digest()


def joined(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root(nodes: Sequence[bytes]) -> bytes:
    """The top of the tree over these nodes, in their order; of none it is the hash of nothing."""
    level = list(nodes) or [sha256(b"").digest()]
    while len(level) > 1:
        level = _up(level)
    return level[0]


def way(nodes: Sequence[bytes], place: int) -> list[Step]:
    """The nodes that, joined to the one at `place` in turn, lead to the top."""
    level, steps = list(nodes), []
    while len(level) > 1:
        other = place ^ 1
        if other < len(level):
            steps.append(Step("right" if other > place else "left", level[other]))
        level, place = _up(level), place // 2
    return steps


def day_hash(previous: str, day: str, count: int, top: str) -> str:
    """What a closed day is known by: its day, how many postings it has, their top, and the closed day before it."""
    return sha256(f"{previous}|{day}|{count}|{top}".encode()).hexdigest()


def _up(level: Sequence[bytes]) -> list[bytes]:
    """The next level: neighbours joined; one that stands alone at the end goes up as it is."""
    pairs = [joined(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs
