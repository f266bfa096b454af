"""What a zip lists, read so that no two readers can disagree about it, and before it costs anything.

A zip is read from its end: a record there gives place and size of the directory, which gives place and size of each
entry, which has a header of its own. Readers differ in what they do if these contradict each other, so they may not.
"""

import os
import struct
import zipfile
from typing import BinaryIO

from scoring.untrusted.names import quoted

END = struct.Struct("<4s4H2LH")
END_64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64 = struct.Struct("<4sLQL")
HEADER = struct.Struct("<4s5H3L2H")
"""The records of a zip, as its specification (APPNOTE.TXT) defines them."""

SATURATED = 0xFFFFFFFF
"""Stands for a size or place of 4 GB or more, which another record gives."""

ENTRY_BYTES = 1024
"""The most that an entry may take in the directory: its name, and a few fields for times and large sizes."""

SIZES_FOLLOW = 1 << 3
"""The flag of an entry whose sizes follow its data, so that its header may give zeros."""

DESCRIPTORS = (16, 24, 12, 20)
"""The bytes that then follow: a checksum and two sizes of 4 or 8 bytes, with or without a signature."""

UTF_8 = 1 << 11


def opened(file: BinaryIO, most: int) -> zipfile.ZipFile:
    """A zip, of which the directory has been read and nothing else.

    Args:
        file: the zip.
        most: the number of entries up to which the directory is read.

    Raises:
        ValueError: it is no zip, lists more than ``most`` entries, or the records at its end contradict each other.
    """
    count, _, size = _end(file)
    if count > most:
        raise ValueError(f"it lists {count} entries, and at most {most} are accepted")
    if size > count * ENTRY_BYTES:
        raise ValueError(f"its directory has {size} bytes for {count} entries")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, struct.error) as error:
        # zipfile raises the middle two for a version or a flag that it does not know, and for a name that is not UTF-8.
        raise ValueError(str(error)) from error
    if len(archive.infolist()) != count:
        raise ValueError(
            f"the record at its end counts {count} entries, but its directory lists {len(archive.infolist())}"
        )
    return archive


def _end(file: BinaryIO) -> tuple[int, int, int]:
    """The number of entries, where the directory begins, and its size."""
    at = file.seek(0, os.SEEK_END) - END.size
    if at < 0:
        raise ValueError("File is not a zip file")
    signature, disk, first_disk, here, count, size, begin, comment = END.unpack(_read(file, at, END.size))
    if signature != b"PK\5\6" or comment:
        more = zipfile.is_zipfile(file)
        raise ValueError("it has a comment, or something follows it" if more else "File is not a zip file")
    agree = disk == first_disk == 0 and here == count
    at_64 = at - LOCATOR_64.size - END_64.size
    if at_64 >= 0 and _read(file, at - LOCATOR_64.size, 4) == b"PK\6\7":
        _, disk, place, disks = LOCATOR_64.unpack(_read(file, at - LOCATOR_64.size, LOCATOR_64.size))
        signature, length, _, _, *disk_64, here, count_64, size_64, begin_64 = END_64.unpack(
            _read(file, at_64, END_64.size)
        )
        agree &= signature == b"PK\6\6" and length == END_64.size - 12 and place == at_64
        agree &= disk == 0 and disks == 1 and disk_64 == [0, 0] and here == count_64
        agree &= count in (count_64, 0xFFFF) and size in (size_64, SATURATED) and begin in (begin_64, SATURATED)
        count, size, begin, at = count_64, size_64, begin_64, at_64
    if not agree or begin + size != at:
        raise ValueError("the records at its end contradict each other")
    return count, begin, size


def starts(file: BinaryIO, listed: list[zipfile.ZipInfo]) -> list[int]:
    """Where the data of each entry begin.

    Args:
        file: the zip.
        listed: its directory.

    Raises:
        ValueError: an entry's own header contradicts the directory, entries overlap, or something is between them.
    """
    found = {}
    end: tuple[int, ...] = (0,)
    for entry in sorted(listed, key=lambda entry: entry.header_offset):
        if entry.header_offset not in end:
            name, begin = quoted(entry.filename), entry.header_offset
            raise ValueError(f"its entry {name} begins at {begin}, but the one before it ends at {end[0]}")
        start = _start(file, entry)
        found[id(entry)] = start
        between = DESCRIPTORS if entry.flag_bits & SIZES_FOLLOW else (0,)
        end = tuple(start + entry.compress_size + size for size in between)
    if _end(file)[1] not in end:
        raise ValueError(f"its directory begins at {_end(file)[1]}, but its last entry ends at {end[0]}")
    return [found[id(entry)] for entry in listed]


def _start(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """Where the data of an entry begin, if its header agrees with the directory."""
    header = _read(file, entry.header_offset, HEADER.size)
    if len(header) == HEADER.size:
        signature, _, flags, method, _, _, checksum, packed, size, name_bytes, extra_bytes = HEADER.unpack(header)
        name = _read(file, entry.header_offset + HEADER.size, name_bytes)
        later = {0} if entry.flag_bits & SIZES_FOLLOW else set()
        if (
            signature == b"PK\3\4"
            and (flags, method) == (entry.flag_bits, entry.compress_type)
            and name == entry.orig_filename.encode("utf-8" if entry.flag_bits & UTF_8 else "cp437")
            and checksum in {entry.CRC} | later
            and packed in {entry.compress_size, SATURATED} | later
            and size in {entry.file_size, SATURATED} | later
        ):
            return entry.header_offset + HEADER.size + name_bytes + extra_bytes
    raise ValueError(f"the header of its entry {quoted(entry.filename)} contradicts its directory")


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    """Bytes of a file; fewer at its end."""
    file.seek(at)
    return file.read(size)
