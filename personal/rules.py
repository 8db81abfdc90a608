"""Archives put together from pieces, what stands in the way of leaving, and what a proof may say. Pure."""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

#: How long a copy can be fetched, and how soon another one may be asked for.
EXPORT_KEPT, EXPORT_APART = timedelta(days=7), timedelta(days=1)
#: How long a request to be forgotten can be taken back.
ERASURE_WAITS = timedelta(days=7)
#: What must be over before somebody can leave, in the order in which it is said.
HINDRANCES = ("orders", "owed", "under_way", "refunds", "returns", "disputes", "concerns", "cases", "wallet", "team")

PROOF_DAYS = (7, 30, 90)
#: What a proof may say, in the order in which it does; the name is the only one that says who.
FACTS = ("band", "member_since", "promises_kept", "kept_since", "nothing_overdue", "verified", "name")

#: Ends a stream of deflated pieces: a last block that holds nothing.
_END = b"\x03\x00"
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_FOOT = struct.Struct("<4s4H2IH")
#: Names are UTF-8; deflated; made by the rules of 2.0.
_FLAGS, _DEFLATED, _VERSION = 0x0800, 8, 20


@dataclass(frozen=True, slots=True)
class Packed:
    """One file of an archive, as far as it goes: how much of it there is, and by which sum it is checked."""

    name: str
    rows: int = 0
    crc: int = 0
    size: int = 0
    packed: int = 0

    def grown(self, clear: bytes, squeezed: bytes, *, rows: int = 0) -> "Packed":
        """The file with another piece at its end."""
        return replace(
            self,
            rows=self.rows + rows,
            crc=zlib.crc32(clear, self.crc),
            size=self.size + len(clear),
            packed=self.packed + len(squeezed),
        )


def squeeze(clear: bytes, level: int = 6) -> bytes:
    """A piece of a deflated stream that may stand anywhere in it: it leans on nothing before it."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(clear) + packer.flush(zlib.Z_FULL_FLUSH)


def archive(files: Iterable[tuple[Packed, Iterable[bytes]]], *, made_at: datetime) -> Iterator[bytes]:
    """A ZIP archive of files that were packed in pieces, itself in pieces: it is never whole anywhere."""
    moment = _dos(made_at)
    entries, place = [], 0
    for file, pieces in files:
        name, packed = file.name.encode(), file.packed + len(_END)
        shared = (_FLAGS, _DEFLATED, *moment, file.crc, packed, file.size, len(name), 0)
        yield _LOCAL.pack(b"PK\x03\x04", _VERSION, *shared) + name
        yield from pieces
        yield _END
        entries.append(_CENTRAL.pack(b"PK\x01\x02", _VERSION, _VERSION, *shared, 0, 0, 0, 0, place) + name)
        place += _LOCAL.size + len(name) + packed
    index = b"".join(entries)
    yield index
    yield _FOOT.pack(b"PK\x05\x06", 0, 0, len(entries), len(entries), len(index), place, 0)


def archive_size(files: Sequence[Packed]) -> int:
    """How many bytes `archive` comes to."""
    heads = _LOCAL.size + _CENTRAL.size + len(_END)
    return _FOOT.size + sum(heads + 2 * len(file.name.encode()) + file.packed for file in files)


def _dos(moment: datetime) -> tuple[int, int]:
    """Time and day as archives write them, in steps of two seconds."""
    return (
        moment.hour << 11 | moment.minute << 5 | moment.second // 2,
        (moment.year - 1980) << 9 | moment.month << 5 | moment.day,
    )
