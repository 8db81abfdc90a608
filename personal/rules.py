"""ZIP archives written in pieces, erasure blockers, and the facts of proofs. Pure."""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

#: How long a copy can be downloaded, and how soon another one can be requested.
EXPORT_RETENTION, EXPORT_INTERVAL = timedelta(days=7), timedelta(days=1)
#: How long an erasure request can be withdrawn.
ERASURE_DELAY = timedelta(days=7)
#: What has to be resolved before an erasure, in display order.
ERASURE_BLOCKERS = (
    "orders",
    "owed",
    "under_way",
    "refunds",
    "returns",
    "disputes",
    "concerns",
    "cases",
    "wallet",
    "team",
)

PROOF_DAYS = (7, 30, 90)
#: The facts a proof can state, in display order; only the name identifies the person.
FACTS = ("band", "member_since", "promises_kept", "kept_since", "nothing_overdue", "verified", "name")

#: Ends a deflate stream: an empty final block.
_DEFLATE_END = b"\x03\x00"
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_CENTRAL_ENTRY = struct.Struct("<4s6H3I5H2I")
_END_RECORD = struct.Struct("<4s4H2IH")
#: UTF-8 names; deflated; ZIP version 2.0.
_FLAGS, _DEFLATED, _VERSION = 0x0800, 8, 20


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file of an archive as written so far: rows, checksum and sizes."""

    name: str
    rows: int = 0
    crc: int = 0
    size: int = 0
    packed: int = 0

    def appended(self, content: bytes, compressed: bytes, *, rows: int = 0) -> "ArchiveFile":
        """The file with a further piece."""
        return replace(
            self,
            rows=self.rows + rows,
            crc=zlib.crc32(content, self.crc),
            size=self.size + len(content),
            packed=self.packed + len(compressed),
        )


def deflate(content: bytes, level: int = 6) -> bytes:
    """Compress one piece of a deflate stream. Pieces do not depend on each other."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)


def stream_zip(files: Iterable[tuple[ArchiveFile, Iterable[bytes]]], *, made_at: datetime) -> Iterator[bytes]:
    """A ZIP archive of files compressed in pieces, streamed without holding it in memory."""
    moment = _dos_time(made_at)
    entries, offset = [], 0
    for file, pieces in files:
        name, packed = file.name.encode(), file.packed + len(_DEFLATE_END)
        shared = (_FLAGS, _DEFLATED, *moment, file.crc, packed, file.size, len(name), 0)
        yield _LOCAL_HEADER.pack(b"PK\x03\x04", _VERSION, *shared) + name
        yield from pieces
        yield _DEFLATE_END
        entries.append(_CENTRAL_ENTRY.pack(b"PK\x01\x02", _VERSION, _VERSION, *shared, 0, 0, 0, 0, offset) + name)
        offset += _LOCAL_HEADER.size + len(name) + packed
    index = b"".join(entries)
    yield index
    yield _END_RECORD.pack(b"PK\x05\x06", 0, 0, len(entries), len(entries), len(index), offset, 0)


def zip_size(files: Sequence[ArchiveFile]) -> int:
    """The size of the archive that `stream_zip` writes, in bytes."""
    heads = _LOCAL_HEADER.size + _CENTRAL_ENTRY.size + len(_DEFLATE_END)
    return _END_RECORD.size + sum(heads + 2 * len(file.name.encode()) + file.packed for file in files)


def _dos_time(moment: datetime) -> tuple[int, int]:
    """Time and date in the ZIP format, in steps of two seconds."""
    return (
        moment.hour << 11 | moment.minute << 5 | moment.second // 2,
        (moment.year - 1980) << 9 | moment.month << 5 | moment.day,
    )
