"""Downloads, against a server of this machine: whole, broken, resumed, wrong, kept, and offline."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext as nothing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import requests
import torch

from abplib import data
from abplib.data import _transfer, download, fetch, fetch_url
from abplib.data._unzip import unzip
from abplib.data.video import write_video

CONTENT = np.random.default_rng(0).bytes(700_000)  # some twenty chunks
CHUNK = _transfer.CHUNK


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Server:
    """What the local server offers, how it misbehaves, and what was asked of it."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True  # understands Range
    breaks: list[int] = field(default_factory=list)  # close after so many bytes, once each
    status: list[int] = field(default_factory=list)  # answer with these first
    shift: int = 0  # answer a Range with other bytes than those asked for
    silent_length: bool = False  # name no length
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # (path, Range)
    address: str = ""

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:  # the name that http.server looks for
            wanted = self.headers.get("Range")
            server.asked.append((self.path, wanted))
            content = server.files.get(self.path.lstrip("/"))
            if server.status or content is None:
                self.send_error(server.status.pop(0) if server.status else 404)
                return
            start, status = 0, 200
            if wanted and server.ranges:
                start, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                start += server.shift
            self.send_response(status)
            if status == 206:
                whole = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", whole)
            if not server.silent_length:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            self.wfile.write(body[: server.breaks.pop(0)] if server.breaks else body)
            self.close_connection = True

    return Handler


class Quiet(ThreadingHTTPServer):
    """A server that says nothing where the client hangs up early, as some tests make it do."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(_transfer, "PAUSE", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    logging.getLogger("pooch").setLevel(logging.ERROR)
    state = Server()
    http = Quiet(("127.0.0.1", 0), handler(state))
    state.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# One file ----------------------------------------------------------------------------------------


def test_a_file_is_downloaded_once(server, tmp_path):
    server.files["clip.bin"] = CONTENT
    first = fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path)
    assert first == tmp_path / "clip.bin"
    assert first.read_bytes() == CONTENT
    assert server.asked == [("/clip.bin", None)]
    assert fetch_url(server.url("clip.bin"), sha(CONTENT).upper(), folder=tmp_path) == first
    assert len(server.asked) == 1  # found, checked, and not asked for again
    assert names(tmp_path) == ["clip.bin"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_transfer_goes_on_by_itself(server, tmp_path, ranges):
    server.files["clip.bin"] = CONTENT
    server.breaks, server.ranges = [5 * CHUNK + 100, 2 * CHUNK], ranges
    path = fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path)
    assert path.read_bytes() == CONTENT
    # The begun chunk is lost; without Range each answer begins at byte 0.
    second = (7 if ranges else 2) * CHUNK
    assert [r for _, r in server.asked] == [None, f"bytes={5 * CHUNK}-", f"bytes={second}-"]
    assert names(tmp_path) == ["clip.bin"]


def test_the_next_call_goes_on_where_the_last_one_stopped(server, tmp_path):
    server.files["clip.bin"] = CONTENT
    server.breaks = [3 * CHUNK] * _transfer.TRIES
    with pytest.raises(ConnectionError, match=r"393,216 bytes are kept, and the next call goes on"):
        fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path)
    assert not (tmp_path / "clip.bin").exists()  # half a file never has the name of a whole one
    server.asked.clear()
    path = fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [("/clip.bin", f"bytes={12 * CHUNK}-")]


def test_a_connection_that_closes_quietly_is_noticed(server, tmp_path, monkeypatch):
    """urllib3 before version 2 reports no error where fewer bytes come than were announced."""
    whole = requests.Response.iter_content
    cut = [True]

    def quiet(self: requests.Response, size: int) -> Iterator[bytes]:
        chunks = list(whole(self, size))
        return iter(chunks[:4] if cut and cut.pop() else chunks)

    monkeypatch.setattr(requests.Response, "iter_content", quiet)
    server.files["clip.bin"] = CONTENT
    path = fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path)
    assert path.read_bytes() == CONTENT
    assert [r for _, r in server.asked] == [None, f"bytes={4 * CHUNK}-"]


def partial(folder: Path, content: bytes) -> Path:
    return folder / f".clip.bin.{sha(content)[:12]}.partial"


def test_a_partial_file_that_is_already_whole_is_used(server, tmp_path):
    server.files["clip.bin"] = CONTENT
    partial(tmp_path, CONTENT).write_bytes(CONTENT)
    assert fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path).exists()
    assert server.asked == [("/clip.bin", f"bytes={len(CONTENT)}-")]  # answered 416, no bytes


def test_a_partial_file_that_is_too_long_is_begun_anew(server, tmp_path):
    server.files["clip.bin"] = CONTENT
    partial(tmp_path, CONTENT).write_bytes(CONTENT + b"more")
    path = fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path)
    assert path.read_bytes() == CONTENT


def test_a_server_without_length_or_with_wrong_ranges(server, tmp_path):
    server.files["clip.bin"] = CONTENT
    server.silent_length = True
    assert fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path).exists()
    server.silent_length, server.shift = False, 5
    other = tmp_path / "other"
    other.mkdir()
    partial(other, CONTENT).write_bytes(CONTENT[:1000])
    with pytest.raises(
        ConnectionError, match=r"bytes 1005-699999/700000 came, not those from 1000"
    ):
        fetch_url(server.url("clip.bin"), sha(CONTENT), folder=other)


def test_a_wrong_hash_is_an_error_and_leaves_nothing(server, tmp_path):
    server.files["clip.bin"] = CONTENT[:-1] + b"!"
    with pytest.raises(ValueError, match=rf"has not the SHA-256 {sha(CONTENT)} .*was removed"):
        fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path)
    assert names(tmp_path) == []
    server.files["clip.bin"] = CONTENT  # mended: the next call is not misled by the last one
    assert fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path).exists()


def test_a_kept_file_that_was_damaged_is_replaced(server, tmp_path):
    server.files["clip.bin"] = CONTENT
    (tmp_path / "clip.bin").write_bytes(b"damaged")
    path = fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path)
    assert path.read_bytes() == CONTENT


def test_refusals_are_not_repeated_and_troubles_are(server, tmp_path):
    with pytest.raises(ConnectionError, match=r"/gone\.bin could not be downloaded .*404"):
        fetch_url(server.url("gone.bin"), sha(CONTENT), folder=tmp_path)
    assert len(server.asked) == 1
    server.files["clip.bin"] = CONTENT
    server.status = [503, 429]
    assert fetch_url(server.url("clip.bin"), sha(CONTENT), folder=tmp_path).exists()
    assert len(server.asked) == 4


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(_transfer, "PAUSE", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url = f"http://127.0.0.1:{closed_port()}/clip.bin"
    with pytest.raises(ConnectionError) as caught:
        fetch_url(url, sha(CONTENT), folder=tmp_path)
    message = str(caught.value)
    assert f"{url} could not be downloaded (ConnectionRefusedError" in message
    assert f"download the address by hand, in a browser, and save the file as {tmp_path}" in message
    (tmp_path / "clip.bin").write_bytes(CONTENT)  # as the message says
    assert fetch_url(url, sha(CONTENT), folder=tmp_path) == tmp_path / "clip.bin"


@pytest.mark.parametrize(
    ("url", "digest", "message"),
    [
        ("ftp://example.org/a.bin", "0" * 64, "expected http:// or https://"),
        ("file:///etc/hosts", "0" * 64, "expected http:// or https://"),
        ("https://example.org/a.bin", "0" * 63, "expected 64 hexadecimal digits"),
        ("https://example.org/a.bin", "", "expected 64 hexadecimal digits"),
        ("https://example.org/", "0" * 64, "ends in no file name"),
        ("https://example.org/%2e%2e", "0" * 64, "ends in no file name"),
    ],
)
def test_bad_addresses_and_hashes(tmp_path, url, digest, message):
    with pytest.raises(ValueError, match=message):
        fetch_url(url, digest, folder=tmp_path)


def test_without_pooch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r'pip install "abplib\[data\]"'):
        fetch_url("https://example.org/a.bin", "0" * 64)


def test_the_folder_can_be_set_by_the_environment(server, tmp_path, monkeypatch):
    server.files["clip.bin"] = CONTENT
    monkeypatch.setenv("ABPLIB_DATA", str(tmp_path / "kept"))
    path = fetch_url(server.url("clip.bin"), sha(CONTENT))
    assert path == tmp_path / "kept" / "clip.bin"


# Sets --------------------------------------------------------------------------------------------


def archive(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path.read_bytes()


def test_a_set_of_archives_is_fetched_unpacked_and_read(server, tmp_path):
    registry = []
    for action in ("walk", "run"):
        clip = write_video(tmp_path / "clip.mp4", torch.zeros(3, 6, 16, 16)).read_bytes()
        packed = archive(tmp_path / "packed.zip", {f"eli_{action}.mp4": clip})
        server.files[f"{action}.zip"] = packed
        registry.append({"url": server.url(f"{action}.zip"), "sha256": sha(packed)})
    file = tmp_path / "registry.json"
    file.write_text(json.dumps({"weizmann": registry}))
    for _ in range(2):
        folder = fetch("weizmann", registry=file, folder=tmp_path / "kept")
        videos, clips = data.load(data.weizmann(folder), frames=4, size=16)
    assert videos.shape == (2, 3, 4, 16, 16)
    assert [clip.labels["action"] for clip in clips] == ["run", "walk"]
    assert len(server.asked) == 2


def test_what_fetch_returns(server, tmp_path):
    packed = archive(tmp_path / "fire.zip", {"a/fire.txt": b"fire"})
    server.files = {"fire.zip": packed, "fire.bin": CONTENT}
    registry = {
        "zip": {"url": server.url("fire.zip"), "sha256": sha(packed)},
        "file": {"url": server.url("fire.bin"), "sha256": sha(CONTENT)},
    }
    folder = fetch("zip", registry=registry, folder=tmp_path)
    assert folder == tmp_path / "zip" / "fire"
    assert (folder / "a" / "fire.txt").read_bytes() == b"fire"
    assert fetch("file", registry=registry, folder=tmp_path) == tmp_path / "file" / "fire.bin"


def test_a_changed_archive_is_unpacked_again(server, tmp_path):
    for word in (b"old", b"new"):
        packed = archive(tmp_path / "fire.zip", {"word.txt": word})
        server.files["fire.zip"] = packed
        registry = {"fire": {"url": server.url("fire.zip"), "sha256": sha(packed)}}
        folder = fetch("fire", registry=registry, folder=tmp_path)
        assert (folder / "word.txt").read_bytes() == word


def test_the_built_in_registry():
    for name, source in download.SOURCES.items():
        assert callable(getattr(data, source.read_with))
        assert source.page.startswith(("http://", "https://"))
        for url, digest in source.files:
            assert download._checked(url, digest) == digest
            assert source.checksum_from  # who published it
        if not source.files:
            with pytest.raises(ValueError, match="Get it by hand") as caught:
                fetch(name)
            assert source.page in str(caught.value)
            assert f"abplib.data.{source.read_with}(folder)" in str(caught.value)


@pytest.mark.parametrize(
    ("registry", "message"),
    [
        (None, r"no set 'fire'; known are dyntex, moving-mnist, oulu-vs, weizmann"),
        ({"smoke": {}}, r"known are dyntex, moving-mnist, oulu-vs, smoke, weizmann"),
        ({"fire": "https://example.org/a.bin"}, r"entry 'fire' is .*; expected \{"),
        ({"fire": {"url": "https://example.org/a.bin"}}, r"entry 'fire' is .*; expected \{"),
        ({"fire": []}, "is empty"),
        ({"fire": [{"url": "https://a.org/a.bin", "sha256": "0" * 64}] * 2}, "one file twice"),
        ({"fire": {"url": "https://a.org/a.bin", "sha256": "?"}}, "64 hexadecimal digits"),
    ],
)
def test_bad_names_and_registries(registry, message):
    with pytest.raises(ValueError, match=message):
        fetch("fire", registry=registry)


def test_bad_registry_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no registry file"):
        fetch("fire", registry=tmp_path / "gone.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        fetch("fire", registry=tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no names"):
        fetch("fire", registry=tmp_path / "bad.json")


# Archives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil", "C:e"]
)
def test_a_path_outside_the_folder_is_refused_before_anything_is_written(tmp_path, name):
    packed = tmp_path / "in" / "a.zip"
    packed.parent.mkdir()
    archive(packed, {"good.txt": b"good", name: b"evil"})
    with pytest.raises(ValueError, match="outside its folder: refused"):
        unzip(packed, packed.with_suffix(""), "0" * 64)
    assert names(tmp_path) == ["in/a.zip"]
    assert list(packed.parent.iterdir()) == [packed]


def test_a_link_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        file.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="'link', a link: refused"):
        unzip(tmp_path / "a.zip", tmp_path / "a", "0" * 64)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.zip"]


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    archive(tmp_path / "a.zip", {"zeros": bytes(10**6)})
    with pytest.raises(ValueError, match="unpacks to 1,000,000 bytes; at most 999,999"):
        unzip(tmp_path / "a.zip", tmp_path / "a", "0" * 64, max_bytes=999_999)


def flipped(content: bytes) -> bytes:
    """One bit in the middle of the first member's data is wrong."""
    at = content.index(b"noise") + 5 + 1000
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:500], lambda _: b"no zip"])
def test_a_damaged_archive_is_an_error_and_leaves_nothing(tmp_path, damage):
    path = tmp_path / "a.zip"
    path.write_bytes(damage(archive(path, {"noise": CONTENT[:5000]})))
    with pytest.raises(ValueError, match=r"a\.zip cannot be unpacked .*: fetch it again"):
        unzip(path, tmp_path / "a", "0" * 64)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("second", ["name", "name/below"])
def test_names_that_collide_are_refused(tmp_path, second):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("name", "one")
        with pytest.warns(UserWarning, match="Duplicate") if second == "name" else nothing():
            file.writestr(second, "two")
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unzip(tmp_path / "a.zip", tmp_path / "a", "0" * 64)


def test_a_locked_archive_is_refused(tmp_path):
    content = bytearray(archive(tmp_path / "a.zip", {"secret": b"secret"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the directory's "encrypted" flag
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ValueError, match="locked by a password"):
        unzip(tmp_path / "a.zip", tmp_path / "a", "0" * 64)


def test_sha256_of(tmp_path):
    (tmp_path / "clip.bin").write_bytes(CONTENT)
    assert data.sha256_of(tmp_path / "clip.bin") == sha(CONTENT)


def test_nothing_is_downloaded_at_import():
    code = (
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('the network was used')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import abplib, abplib.data.download, abplib.data.datasets"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
