"""What an upload holds: the members of a folder, a zip or a tar, one by one.

Nothing is unpacked under a name that an upload chose. A member says what and where it
is, and hands out its bytes when asked, a megabyte at most. An archive that is damaged
raises Unreadable after the members before the damage.
"""

import gzip
import os
import re
import stat
import tarfile
import tempfile
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO

from checker.classroom.writing import disk

LARGEST = 2**20
"""Bytes of a member that is read."""
MEMBERS = 10_000
UNPACKED = 2**28
"""Bytes that gzip may make of a tar."""
DIRECTORY = 2**22
"""Bytes of a zip's table of contents: ten thousand members with long names."""
HEADER = 2**13
"""Bytes of an extended header of a tar in which a path is looked for."""

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
FILE, FOLDER, SPECIAL = "file", "folder", "special file"

KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: FOLDER,
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
IN_TAR = {
    tarfile.REGTYPE: FILE,
    tarfile.AREGTYPE: FILE,
    tarfile.CONTTYPE: FILE,
    tarfile.DIRTYPE: FOLDER,
    tarfile.SYMTYPE: "link",
    tarfile.LNKTYPE: "link",
    tarfile.FIFOTYPE: "pipe",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
}
EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
"""Members of a tar that tell about the next one."""
PAX_PATH = re.compile(rb"(?:^|\n)\d+ path=([^\n]*)\n")


class Unreadable(Exception):
    """An upload, or a member of it, cannot be read: the end of a sentence about it."""


@dataclass(frozen=True)
class Member:
    """Something in an upload.

    Attributes:
        path: as the upload has it, ``/`` between folders.
        kind: file, folder, link, pipe, socket, device, special file.
        size: bytes.
        read: returns the bytes of a file. Raises Unreadable.
        fault: why it cannot be read; empty where nothing is known.
    """

    path: str
    kind: str
    size: int
    read: Callable[[], bytes]
    fault: str = ""


def kind(path: Path) -> str:
    """What is at a path, without following links. Raises OSError."""
    return KINDS.get(stat.S_IFMT(path.lstat().st_mode), SPECIAL)


def is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


@contextmanager
def opened(path: Path, enter: Callable[[str], bool]) -> Iterator[Iterator[Member]]:
    """The members of a folder or an archive; a folder in a folder if ``enter(path)``.

    Iterating them raises Unreadable.
    """
    if kind(path) == FOLDER:
        yield _in_folder(path, enter)
        return
    with tempfile.SpooledTemporaryFile(2**23) as unpacked, _regular(path) as file:
        name = path.name.lower()
        if name.endswith(".zip"):
            yield _in_zip(file)
        elif name.endswith(".tar"):
            yield _in_tar(file)
        else:
            yield _in_gzip(file, unpacked)


def loose(path: Path) -> Member:
    """A file that was handed in by itself."""
    found = path.lstat()
    sort = KINDS.get(stat.S_IFMT(found.st_mode), SPECIAL)
    return Member(path.name, sort, found.st_size, lambda: _content(path))


@contextmanager
def _regular(path: Path) -> Iterator[IO[bytes]]:
    """A regular file, open; a link that has taken its place meanwhile is refused."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with _told():
        file = os.fdopen(os.open(path, flags), "rb")
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unreadable("is not a regular file")
        yield file


@contextmanager
def _told() -> Iterator[None]:
    """Whatever a reader of archives raises about one, as Unreadable.

    The bytes are somebody else's: besides their own errors, zipfile and zlib raise
    RuntimeError, ValueError, OverflowError, struct.error and more about damaged ones.
    """
    try:
        yield
    except Unreadable:
        raise
    except EOFError as error:
        raise Unreadable("ends too early") from error
    except OSError as error:
        why = f"cannot be read: {error.strerror}" if error.strerror else "is damaged"
        raise Unreadable(why) from error
    except Exception as error:
        raise Unreadable("is damaged") from error


def _content(path: Path) -> bytes:
    with _regular(path) as file, _told():
        return file.read(LARGEST + 1)


def _in_folder(root: Path, enter: Callable[[str], bool]) -> Iterator[Member]:
    """All below a folder, the least deep first."""
    waiting = deque([""])
    while waiting:
        above = waiting.popleft()
        try:
            with os.scandir(root / above) as entries:
                found = sorted(islice(entries, MEMBERS + 1), key=lambda e: e.name)
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
            yield Member(above or root.name, FOLDER, 0, bytes, why)
            continue
        for entry in found:
            member = replace(_seen(root / above / entry.name), path=above + entry.name)
            yield member
            if member.kind == FOLDER and enter(member.path):
                waiting.append(f"{member.path}/")


def _seen(path: Path) -> Member:
    try:
        return loose(path)
    except OSError as error:
        return Member("", SPECIAL, 0, bytes, f"cannot be read: {error.strerror}")


def _in_zip(file: IO[bytes]) -> Iterator[Member]:
    _check_directory(file)
    try:
        with _told():
            archive = zipfile.ZipFile(file)
    except Unreadable as error:
        raise Unreadable("is not a zip, or is damaged or cut short") from error
    yield from (_zipped(archive, info) for info in archive.infolist())


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a table of contents that zipfile would take minutes and gigabytes for."""
    with _told():
        file.seek(max(0, file.seek(0, os.SEEK_END) - 2**16 - 98))
        tail = file.read()
    plain = tail[-22:].startswith(b"PK\5\6") and tail.endswith(b"\0\0")
    at = len(tail) - 22 if plain else tail.rfind(b"PK\5\6")
    size = tail[at + 12 : at + 16]
    if at >= 76 and tail.startswith(b"PK\6\7", at - 20):  # zip64 says it elsewhere
        size = tail[at - 36 : at - 28]
    if at >= 0 and int.from_bytes(size, "little") > DIRECTORY:
        raise Unreadable("has a table of contents that is too large")


def _zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    def read() -> bytes:
        with _told(), archive.open(info) as file:
            return file.read(LARGEST + 1)

    fault = ""
    if info.flag_bits & 0x41:
        fault = "is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        fault = "is compressed in an unusual way; zip it with the default settings"
    mode = stat.S_IFMT(info.external_attr >> 16)
    sort = KINDS.get(mode, FILE)
    if info.filename.endswith(("/", "\\")):
        sort = FOLDER
    return Member(info.filename, sort, info.file_size, read, fault)


def _in_gzip(file: IO[bytes], unpacked: IO[bytes]) -> Iterator[Member]:
    why = _gunzip(file, unpacked)
    try:
        yield from _in_tar(unpacked)
    except Unreadable as error:
        raise Unreadable(why or str(error)) from error
    if why:
        raise Unreadable(why)


def _gunzip(file: IO[bytes], into: IO[bytes]) -> str:
    """Unpack as far as possible; says why that is not to the end."""
    total = 0
    with gzip.GzipFile(fileobj=file) as packed:
        while True:
            try:
                with _told():
                    block = packed.read1(2**16)
            except Unreadable as error:
                return str(error)
            total += len(block)
            if not block or total > UNPACKED:
                return "" if not block else f"unpacks to more than {_size(UNPACKED)}"
            with disk(Path(tempfile.gettempdir())):
                into.write(block)


def _in_tar(file: IO[bytes]) -> Iterator[Member]:
    """The members of a tar.

    Read header by header: tarfile's own loop goes round for ever on a negative size
    (CVE-2025-8194), and for minutes on an extended header full of digits
    (CVE-2024-6232).
    """
    end = file.seek(0, os.SEEK_END)
    at, path = 0, ""
    while (block := _block(file, at, tarfile.BLOCKSIZE)).strip(b"\0"):
        if len(block) < tarfile.BLOCKSIZE:
            break
        with _told():
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if header.size < 0 or header.type == tarfile.GNUTYPE_SPARSE:
            raise Unreadable("is damaged, or holds a sparse file")
        data, at = at + tarfile.BLOCKSIZE, _after(header, at)
        if header.type in EXTENDED:
            path = _next_path(header, _block(file, data, HEADER)[: header.size]) or path
            continue
        yield _tarred(file, header, path or header.name, data)
        path = ""
    if at > end or len(block) < tarfile.BLOCKSIZE:
        raise Unreadable("ends too early")


def _block(file: IO[bytes], at: int, size: int) -> bytes:
    with _told():
        file.seek(at)
        return file.read(size)


def _after(header: tarfile.TarInfo, at: int) -> int:
    """Where the next header is."""
    has_data = IN_TAR.get(header.type, FILE) == FILE
    blocks = -(-header.size // tarfile.BLOCKSIZE) if has_data else 0
    return at + (1 + blocks) * tarfile.BLOCKSIZE


def _next_path(header: tarfile.TarInfo, data: bytes) -> str:
    """The next member's path, where an extended header says it."""
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return data.split(b"\0")[0].decode("utf-8", "surrogateescape")
    found = PAX_PATH.search(data) if header.type == tarfile.XHDTYPE else None
    return found[1].decode("utf-8", "surrogateescape") if found else ""


def _tarred(file: IO[bytes], header: tarfile.TarInfo, path: str, data: int) -> Member:
    def read() -> bytes:
        wanted = min(header.size, LARGEST + 1)
        found = _block(file, data, wanted)
        if len(found) < wanted:
            raise Unreadable("is cut short")
        return found

    sort = IN_TAR.get(header.type, SPECIAL)
    return Member(path, sort, header.size, read)


def _size(count: int) -> str:
    return f"{count // 2**20} MB"
