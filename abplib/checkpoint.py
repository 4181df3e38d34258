"""Save a training run, and go on exactly where it stood.

One file holds everything: tensors as safetensors, the rest as JSON in the file's metadata. Nothing
in it is executed when it is read, and half a file is never left behind.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

FORMAT = "abplib checkpoint 1"


def save(path: str | os.PathLike[str], state: dict[str, Any]) -> Path:
    """Write a state to a file, in one piece: whoever looks finds the old file or the new one.

    Args:
        path: the file to write or replace; its folder must exist.
        state: what `abplib.ABP.state` returns, or any nesting of dict, list and tuple with
            tensors, numbers, strings, booleans and None in it.

    Returns:
        The path.

    Raises:
        TypeError: for a value of another kind.
        FileNotFoundError: where the folder does not exist.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = save(f"{folder}/run.safetensors", {"z": Tensor([1, 1]), "rate": (0.1, None)})
    ...     load(file)
    {'z': tensor([1., 1.]), 'rate': (0.1, None)}
    """
    tensors: dict[str, Tensor] = {}
    structure = _take_apart(state, tensors, "state")
    notes = {"format": FORMAT, "state": json.dumps(structure)}
    return replace_file(path, safetensors.torch.save(tensors, notes))


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `save` wrote: equal values of the same types, tensors bit for bit, on the CPU.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is cut short, damaged, or no checkpoint of this library.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} is cut short, damaged or no checkpoint ({error}): remove it and start again"
        ) from None
    if notes.get("format") != FORMAT:
        raise ValueError(
            f"{path} is a safetensors file but not an {FORMAT!r}: it was written by something else"
        )
    try:
        return _put_together(json.loads(notes["state"]), tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not hold together ({error!r}): start again") from None


def replace_file(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file beside its place, then move it there in one step.

    Raises:
        FileNotFoundError: where the folder does not exist.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     replace_file(f"{folder}/a.txt", b"whole").read_bytes()
    b'whole'
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}: make it first")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # on the disk before it takes the old file's place
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _take_apart(value: Any, tensors: dict[str, Tensor], name: str) -> Any:
    """JSON for a value. Whatever JSON has no word for becomes an object of one key, "$kind"."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"$tensor": name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        parts = [_take_apart(v, tensors, f"{name}.{i}") for i, v in enumerate(value)]
        return parts if isinstance(value, list) else {"$tuple": parts}
    if isinstance(value, dict):
        keys = [_take_apart(key, tensors, name) for key in value]
        items = [_take_apart(v, tensors, f"{name}.{key}") for key, v in value.items()]
        return {"$dict": [[key, item] for key, item in zip(keys, items, strict=True)]}
    raise TypeError(
        f"{name} is a {type(value).__name__}; a checkpoint holds tensors, numbers, strings, "
        "booleans, None, and dict, list and tuple of them"
    )


def _put_together(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put_together(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "$tensor":
        return tensors[content]
    if kind == "$tuple":
        return tuple(_put_together(v, tensors) for v in content)
    if kind == "$dict":
        return {_put_together(k, tensors): _put_together(v, tensors) for k, v in content}
    raise ValueError(f"unknown kind {kind!r}")
