"""Merkle trees as in RFC 6962: leaves are hashed with a 0x00 prefix, inner nodes with 0x01. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class ProofStep:
    """A sibling on the path to the root, and its side: `left` or `right`."""

    side: str
    node: bytes


def leaf_hash(text: str) -> bytes:
    return sha256(b"\x00" + text.encode()).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_hash(nodes: Sequence[bytes]) -> bytes:
    """The root of the tree over these nodes, in order; for no nodes, the hash of the empty string."""
    level = list(nodes) or [sha256(b"").digest()]
    while len(level) > 1:
        level = _next_level(level)
    return level[0]


def inclusion_path(nodes: Sequence[bytes], index: int) -> list[ProofStep]:
    """The siblings that, hashed in turn with the node at `index`, give the root."""
    level, steps = list(nodes), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            steps.append(ProofStep("right" if sibling > index else "left", level[sibling]))
        level, index = _next_level(level), index // 2
    return steps


def day_hash(previous: str, day: str, count: int, top: str) -> str:
    """The digest of a closed day: covers the previous digest, the date, the number of postings and the root hash."""
    return sha256(f"{previous}|{day}|{count}|{top}".encode()).hexdigest()


def _next_level(level: Sequence[bytes]) -> list[bytes]:
    """The next level: pairs hashed together; an odd last node moves up unchanged."""
    pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs
