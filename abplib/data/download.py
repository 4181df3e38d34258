"""Downloads with a known SHA-256: kept, checked, and resumed after a break.

Only `fetch` and `fetch_url` ever use the network, and only when they are called.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

from abplib.data._transfer import receive
from abplib.data._unzip import unzip


@dataclass(frozen=True)
class Source:
    """Where a set of videos comes from.

    `files` are pairs (address, SHA-256); there are none for a set that its owners hand out
    themselves, or for which no published SHA-256 is known to this library.
    """

    title: str
    page: str  # where to read about it, and to ask for it
    terms: str
    read_with: str  # the function of `abplib.data` that reads it
    files: tuple[tuple[str, str], ...] = ()
    checksum_from: str = ""  # who published the SHA-256


SOURCES = {
    "moving-mnist": Source(
        "Moving MNIST: 10,000 sequences of two moving digits, 20 frames of 64 x 64 (781 MiB)",
        "http://www.cs.toronto.edu/~nitish/unsupervised_video/",
        "no licence is stated with the file; the digits are those of MNIST",
        "moving_mnist",
        (
            (
                "http://www.cs.toronto.edu/~nitish/unsupervised_video/mnist_test_seq.npy",
                "c2a3e8d3939c001ab77bf543f130157424efa486bb4d0974d2cebb773b13f8b3",
            ),
        ),
        "TensorFlow Datasets, tensorflow_datasets/url_checksums/moving_mnist.txt",
    ),
    "dyntex": Source(
        "DynTex: over 650 videos of dynamic textures",
        "http://dyntex.univ-lr.fr/",
        "its owners give access after registration",
        "dyntex",
    ),
    "weizmann": Source(
        "Weizmann actions: nine people, ten actions, one .zip archive an action",
        "https://www.wisdom.weizmann.ac.il/~vision/SpaceTimeActions.html",
        "no licence is known here: see the page",
        "weizmann",
    ),
    "oulu-vs": Source(
        "OuluVS: twenty speakers, ten phrases",
        "https://doi.org/10.1109/TMM.2009.2030637",
        "its authors, University of Oulu, give it on request",
        "oulu_vs",
    ),
}
"""The sets that this library reads, by the name that `fetch` takes."""


def fetch(
    name: str,
    *,
    registry: str | Path | Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
) -> Path:
    """Download a set of videos by name, or find it where it was downloaded before.

    Returns the file, if the set is one file; else the folder that holds its files, zip archives
    unpacked. Each file is checked against its SHA-256. A download that breaks off goes on where it
    stopped, at once or at the next call. A set that is there is used without the network.

    - `name`: a key of `registry` or of `SOURCES`. Of the built-in sets only "moving-mnist" has an
      open address and a known SHA-256; for the others the error names the page to visit.
    - `registry`: sets of your own, or a JSON file of them: ``{"fire": {"url": "https://...",
      "sha256": "..."}}``, or a list of such pairs for a set of several files.
    - `folder`: where to keep the files. Default: the folder that the environment variable
      ABPLIB_DATA names, else the user's cache.

    Raises ValueError for an unknown name, a set without a download, a bad registry, a file whose
    SHA-256 is wrong (it is removed), and an archive that is damaged or unsafe; ConnectionError
    where the address cannot be reached; ImportError without pooch; FileNotFoundError for a missing
    registry file.

    >>> fetch("weizmann")
    Traceback (most recent call last):
    ValueError: 'weizmann' cannot be downloaded by fetch: ...
    """
    files = _files_of(name, registry)
    kept = [
        fetch_url(url, sha256, folder=folder, name=f"{name}/{_file_name(url)}")
        for url, sha256 in files
    ]
    for archive, (_, sha256) in zip(kept, files, strict=True):
        if archive.suffix.lower() == ".zip":
            unzip(archive, archive.with_suffix(""), sha256)
    if len(kept) > 1:
        return kept[0].parent
    return kept[0].with_suffix("") if kept[0].suffix.lower() == ".zip" else kept[0]


def fetch_url(
    url: str, sha256: str, *, folder: str | Path | None = None, name: str | None = None
) -> Path:
    """Download one file with a known SHA-256, or find it where it was downloaded before.

    `name` is the file's path below the folder (default: the end of the address); `folder`, and what
    is raised, as for `fetch`. The path of the file is returned; archives stay packed.

    >>> fetch_url("fire.avi", "0" * 64)
    Traceback (most recent call last):
    ValueError: the address is 'fire.avi'; expected http:// or https://
    """
    sha256, name = _checked(url, sha256), name or _file_name(url)
    pooch = _import_pooch()
    place = Path(folder or os.environ.get("ABPLIB_DATA") or pooch.os_cache("abplib"))
    target = place / name
    partial = target.with_name(f".{target.name}.{sha256[:12]}.partial")

    def downloader(address: str, temporary: str | Path, _: object) -> None:
        receive(address, partial, target)
        os.replace(partial, temporary)

    store = pooch.create(
        path=place, base_url="", registry={name: f"sha256:{sha256}"}, urls={name: url}
    )
    try:
        return Path(store.fetch(name, downloader=downloader))
    except ValueError as error:  # pooch compares the hash, and has removed the file
        raise ValueError(
            f"the file that came from {url} has not the SHA-256 {sha256} that is expected, and was "
            "removed: the transfer was damaged (call again), or the file there has changed (ask "
            f"its owners before you trust it). In full: {error}"
        ) from error


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits, as a registry wants it.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     sha256_of(file.name)[:16]
    'e3b0c44298fc1c14'
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_of(name: str, registry: str | Path | Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The (address, SHA-256) pairs of a set."""
    own = _own(registry)
    if name in own:
        entries = own[name] if isinstance(own[name], list) else [own[name]]
        try:
            pairs = [(entry["url"], _checked(entry["url"], entry["sha256"])) for entry in entries]
        except (TypeError, KeyError) as error:
            raise ValueError(
                f"the registry's entry {name!r} is {own[name]!r}; expected "
                '{"url": ..., "sha256": ...} or a list of these'
            ) from error
        names = [_file_name(url) for url, _ in pairs]
        if not pairs or len(set(names)) < len(names):
            raise ValueError(f"the registry's entry {name!r} is empty, or names one file twice")
        return pairs
    if name not in SOURCES:
        known = ", ".join(sorted({*own, *SOURCES}))
        raise ValueError(f"there is no set {name!r}; known are {known}. Pass your own in registry=")
    source = SOURCES[name]
    if not source.files:
        raise ValueError(
            f"{name!r} cannot be downloaded by fetch: no SHA-256 of it is known here. Get it by "
            f"hand from {source.page} ({source.terms}), unpack it, and read the folder with "
            f"abplib.data.{source.read_with}(folder); or pass registry= with addresses and SHA-256 "
            "that you trust"
        )
    return list(source.files)


def _own(registry: str | Path | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if registry is None or isinstance(registry, Mapping):
        return registry or {}
    path = Path(registry)
    if not path.is_file():
        raise FileNotFoundError(f"there is no registry file {path}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(
            f'{path} holds no names; expected {{"NAME": {{"url": ..., "sha256": ...}}}}'
        )
    return content


def _checked(url: str, sha256: str) -> str:
    """The SHA-256 in lower case; ValueError for a bad address or a bad SHA-256."""
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"the address is {url!r}; expected http:// or https://")
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ValueError(f"the SHA-256 of {url} is {sha256!r}; expected 64 hexadecimal digits")
    return sha256.lower()


def _file_name(url: str) -> str:
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if not name or name.startswith(".") or "\\" in name:
        raise ValueError(f"{url} ends in no file name; use fetch_url with name=")
    return name


def _import_pooch() -> ModuleType:
    """The library that keeps and checks downloads, or an ImportError that says how to get it."""
    try:
        import pooch
    except ImportError as error:
        raise ImportError('downloads need pooch: pip install "abplib[data]"') from error
    return pooch
