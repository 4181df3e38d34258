"""Getting one file over HTTP, going on where a broken transfer stopped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

TRIES = 4  # in one call; each goes on where the one before stopped
PAUSE = 1.0  # seconds between two of them
TIMEOUT = 30.0  # seconds without an answer, or without a byte
CHUNK = 2**15  # bytes; what a break loses is less than one


def receive(url: str, partial: Path, target: Path) -> None:
    """Download `url` to the file `partial`, from where that file ends.

    `target` is where the file will lie in the end; messages name it.

    Raises:
        ConnectionError: where the address cannot be reached, refuses, or breaks off again and
            again. What has come is kept in `partial`.
    """
    import requests

    for attempt in range(1, TRIES + 1):
        try:
            return _receive_rest(url, partial)
        except requests.RequestException as error:
            status = error.response.status_code if error.response is not None else 0
            refused = 400 <= status < 500 and status != 429  # asking again changes nothing
            if refused or attempt == TRIES:
                raise ConnectionError(_by_hand(url, partial, target, error)) from error
        time.sleep(PAUSE)


def _receive_rest(url: str, partial: Path) -> None:
    """One request for what is still missing."""
    import requests
    from tqdm import tqdm

    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # bytes as they are: they are counted
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # nothing lies beyond what there is
            if _total(response) == have:
                return
            partial.unlink()
            raise requests.ConnectionError("the partial file was longer than the whole: begun anew")
        response.raise_for_status()
        begins = response.headers.get("Content-Range", "").removeprefix("bytes").strip()
        if response.status_code != 206 or not begins.startswith(f"{have}-"):
            if response.status_code == 206:
                raise requests.ConnectionError(f"bytes {begins} came, not those from {have}")
            have = 0  # the server sends the whole again
        total = _total(response)
        with (
            partial.open("r+b" if have else "wb") as file,
            tqdm(total=total, initial=have, unit="B", unit_scale=True, disable=None) as bar,
        ):
            file.seek(have)
            for chunk in response.iter_content(CHUNK):
                bar.update(file.write(chunk))
            end = file.tell()
    if total is not None and end != total:
        raise requests.ConnectionError(f"the connection closed at byte {end} of {total}")


def _total(response: Any) -> int | None:
    """Bytes of the whole file, where the server says."""
    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
    if not whole and response.status_code == 200:
        whole = response.headers.get("Content-Length", "")
    return int(whole) if whole.isdigit() else None


def _by_hand(url: str, partial: Path, target: Path, error: Exception) -> str:
    have = partial.stat().st_size if partial.exists() else 0
    kept = f"{have:,} bytes are kept, and the next call goes on from there. " if have else ""
    return (
        f"{url} could not be downloaded ({_reason(error)}). {kept}Check the network and call "
        f"again; or download the address by hand, in a browser, and save the file as {target}: it "
        "is found there, checked, and used without the network"
    )


def _reason(error: BaseException) -> str:
    """The innermost cause, in one line: requests wraps it several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return f"{type(error).__name__}: {error}"
