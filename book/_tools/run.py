"""Execute chapters in place: `python book/_tools/run.py [--check] [--jobs N] [NOTEBOOK ...]`.

Without names every chapter of `_toc.yml` is executed. A chapter that fails is left as it was. With
`--check` nothing is written, and a chapter whose new text differs from the file counts as failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
import notebooks
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

CELL_TIMEOUT = 600  # seconds
FAILURES = (CellExecutionError, CellTimeoutError, DeadKernelError, nbformat.ValidationError)


def prepare_environment() -> None:
    """Set what every kernel inherits: no live widgets, one thread, the inline backend."""
    os.environ["ABPLIB_STATIC"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("PYTHONHASHSEED", "0")
    os.environ.pop("MPLBACKEND", None)  # the kernel then picks its inline backend


def execute(path: Path) -> str:
    """Return the text of the notebook at `path` after a run on a clean kernel."""
    notebook = notebooks.read(path)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],  # not the kernel's note on unencrypted sockets
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    return notebooks.text_of(notebook)


def process(path: Path, check: bool) -> tuple[float, str]:
    """Execute one chapter; return the seconds it took and what is wrong ("" when nothing is)."""
    start = time.monotonic()
    try:
        text = execute(path)
    except FAILURES as error:
        return time.monotonic() - start, f"{type(error).__name__}\n{error}"
    seconds = time.monotonic() - start
    if check:
        same = text == path.read_text(encoding="utf-8")
        return seconds, "" if same else "a fresh run differs from the committed file"
    partial = path.with_suffix(".ipynb.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return seconds, ""


def main(arguments: list[str] | None = None) -> int:
    """Execute the chapters and print a line for each; return the number that failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebook", nargs="*", type=Path, help="default: all of _toc.yml")
    parser.add_argument("--check", action="store_true", help="write nothing; compare")
    parser.add_argument("--jobs", type=int, default=1, help="chapters at a time (default 1)")
    options = parser.parse_args(arguments)
    paths = [path.resolve() for path in options.notebook] or notebooks.chapters()
    prepare_environment()
    failed = 0
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        running = {pool.submit(process, path, options.check): path for path in paths}
        for done, future in enumerate(as_completed(running), start=1):
            seconds, problem = future.result()
            state = "FAILED" if problem else "ok"
            name = running[future].stem
            print(f"[{done}/{len(paths)}] {name:<24} {state:<6} {seconds:6.1f} s", flush=True)
            if problem:
                failed += 1
                print(problem, file=sys.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
