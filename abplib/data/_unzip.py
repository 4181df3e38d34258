"""Unpacking a zip archive that is not trusted."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

MARK = ".unpacked"  # in an unpacked folder: the SHA-256 of its archive
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # an unknown compression
    FileExistsError,  # one name twice
    NotADirectoryError,  # one name for a file and a folder
)


def unzip(archive: Path, folder: Path, sha256: str, max_bytes: int = 2**35) -> Path:
    """Unpack an archive to a folder, in one piece, unless that has been done; return the folder.

    Nothing is written outside the folder: an archive with an absolute name, with "..", with a link
    or with a password is refused as a whole, before anything is unpacked.

    Raises:
        ValueError: for such an archive, a damaged one, and one of more than `max_bytes` in all.
    """
    mark = folder / MARK
    if mark.is_file() and mark.read_text() == sha256:
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as name:
        new = Path(name) / "new"
        new.mkdir()
        try:
            with zipfile.ZipFile(archive) as file:
                members = [(info, _safe(info, archive)) for info in file.infolist()]
                size = sum(info.file_size for info, _ in members)
                if size > max_bytes:
                    raise ValueError(f"{archive} unpacks to {size:,} bytes; at most {max_bytes:,}")
                for info, where in members:
                    _write(file, info, new / where)
        except UNREADABLE as error:
            raise ValueError(f"{archive} cannot be unpacked ({error}): fetch it again") from error
        (new / MARK).write_text(sha256)
        if folder.exists():  # of an older archive
            folder.rename(Path(name) / "old")
        new.rename(folder)
    return folder


def _safe(info: zipfile.ZipInfo, archive: Path) -> PurePosixPath:
    """Where a member belongs, below the folder; ValueError for one that would lie elsewhere."""
    name = info.filename.replace("\\", "/")
    path = PurePosixPath(name)
    # The upper half of external_attr holds the Unix mode, where the archive was made on Unix.
    link = stat.S_ISLNK(info.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name):
        raise ValueError(f"{archive} holds {info.filename!r}, a path outside its folder: refused")
    if link:
        raise ValueError(f"{archive} holds {info.filename!r}, a link: refused")
    if info.flag_bits & 1:
        raise ValueError(f"{archive} is locked by a password: unpack it by hand")
    return path


def _write(file: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    """Unpack one member; its length and checksum are checked on the way."""
    if info.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with file.open(info) as source, path.open("xb") as goal:
        shutil.copyfileobj(source, goal)
