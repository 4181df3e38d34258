"""The real sets of the paper, read from a folder: DynTex, Weizmann actions, OuluVS; and any other.

Each reader lists the clips of a folder with what their names say; `abplib.data.load` reads their
pixels and `abplib.data.split` holds actors or speakers out. Nothing is downloaded here; for that
see `abplib.data.fetch`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from abplib.data._decoding import at_least
from abplib.data.clips import Clip, clip_paths

ACTORS = ("daria", "denis", "eli", "ido", "ira", "lena", "lyova", "moshe", "shahar")
"""The nine people of the Weizmann set, by the names that its files use."""

ACTIONS = ("bend", "jack", "jump", "pjump", "run", "side", "skip", "walk", "wave1", "wave2")
"""The ten actions of the Weizmann set, by the names that its files use."""

OULU_NAMES = r"(?:.*/)?s(?P<speaker>\d+)[_/]p(?P<phrase>\d+)[_/]t(?P<take>\d+)"
"""The names that `oulu_vs` expects: s3_p07_t2.avi, or folders s3/p07/t2."""

_WEIZMANN = re.compile(rf"({'|'.join(ACTORS)})_({'|'.join(ACTIONS)})([12]?)", re.IGNORECASE)
_DYNTEX = re.compile(r"\d[0-9a-z]{6}", re.IGNORECASE)


def folder(path: str | Path) -> list[Clip]:
    """List the clips of any folder and the folders in it, sorted by name.

    A clip is a video file (by its suffix: .avi, .mp4, .gif, ...), or a folder of pictures, one a
    frame. Other files and hidden ones are passed over. Labels: `name`, without the suffix, and
    `group`, the folder that the clip lies in ("" at the top).

    Raises FileNotFoundError for a missing folder, NotADirectoryError for a file, and ValueError
    where there is no clip.

    >>> from tempfile import TemporaryDirectory
    >>> from abplib.data.video import write_video
    >>> with TemporaryDirectory() as place:
    ...     _ = write_video(f"{place}/grey.mp4", torch.zeros(3, 20, 16, 16))
    ...     clips = folder(place)
    >>> [clip.labels for clip in clips]
    [{'name': 'grey', 'group': ''}]
    """
    path = Path(path)
    return [
        Clip(file, {"name": file.stem, "group": _group(file, path)})
        for file in clip_paths(path, "video files such as fire.avi")
    ]


def weizmann(path: str | Path) -> list[Clip]:
    """List the clips of the Weizmann actions (Gorelick et al., 2007), by actor, action and take.

    The set comes as one .zip archive an action (walk.zip, ...) with files named ACTOR_ACTION.avi,
    180 x 144 pixels; lena ran, skipped and walked twice: lena_run1.avi, lena_run2.avi. Unpack them
    into one folder, or each into a folder of its own (walk/daria_walk.avi): both are read, and so
    is a part of the set. Labels: `actor`, `action`, `take` ("1" where the name has none).

    Raises what `folder` raises, and ValueError for other names and for a clip that is there twice.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     Path(place, "lena_run2.avi").touch()
    ...     weizmann(place)[0].labels
    {'actor': 'lena', 'action': 'run', 'take': '2'}
    """
    expected = "ACTOR_ACTION.avi such as daria_walk.avi or walk/daria_walk.avi"
    clips, unknown, seen = [], [], dict[tuple[str, ...], Path]()
    for file in clip_paths(Path(path), expected, pictures=False):
        match = _WEIZMANN.fullmatch(file.stem)
        if match is None:
            unknown.append(file)
            continue
        key = (match[1].lower(), match[2].lower(), match[3] or "1")
        if key in seen:
            raise ValueError(f"{file} and {seen[key]} are the same clip: remove one of them")
        seen[key] = file
        clips.append(Clip(file, dict(zip(("actor", "action", "take"), key, strict=True))))
    known = f"; actors: {', '.join(ACTORS)}; actions: {', '.join(ACTIONS)}"
    _refuse(unknown, Path(path), expected + known)
    return clips


def dyntex(path: str | Path) -> list[Clip]:
    """List the clips of DynTex (Péteri, Fazekas and Huiskes, 2010), by sequence.

    A sequence is a video file named by seven characters, a digit and six digits or letters:
    6ammj00.avi. The files may lie in one folder, or in folders of classes (sea/6ammj00.avi), as in
    the Alpha, Beta and Gamma sets. Sizes differ by version (720 x 576, 352 x 288), which `load`
    evens out. Labels: `sequence`, and `group`, the folder that the file lies in ("" at the top).
    The rule for names is drawn from published lists of sequences; `folder` reads other names.

    Raises what `folder` raises, and ValueError for other names.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     Path(place, "6ammj00.avi").touch()
    ...     dyntex(place)[0].labels
    {'sequence': '6ammj00', 'group': ''}
    """
    expected = "seven characters and a suffix, such as 6ammj00.avi or sea/6ammj00.avi"
    path = Path(path)
    files = clip_paths(path, expected, pictures=False)
    _refuse([file for file in files if not _DYNTEX.fullmatch(file.stem)], path, expected)
    return [
        Clip(file, {"sequence": file.stem.lower(), "group": _group(file, path)}) for file in files
    ]


def oulu_vs(path: str | Path, *, names: str = OULU_NAMES) -> list[Clip]:
    """List the mouth clips of OuluVS (Zhao, Barnard and Pietikäinen, 2009): speaker, phrase, take.

    The set, 20 speakers who say ten phrases up to five times each, is given on request, and no
    public page states its layout. So the layout here is **assumed**, not known: clips named
    sSPEAKER_pPHRASE_tTAKE (s3_p07_t2.avi), or the same as folders (s3/p07/t2). A clip is a video
    file, or a folder of pictures, one a frame. For a copy that is named otherwise give `names`, a
    regular expression with the groups `speaker`, `phrase` and `take`, all numbers, that matches
    the whole path below the folder, with / between folders and without the suffix. Labels:
    `speaker` ("1" to "20"), `phrase` ("1" to "10") and `take`, without leading zeros.

    Raises what `folder` raises, and ValueError for other names, a speaker above 20, a phrase above
    10, a clip that is there twice, and `names` without the three groups.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     Path(place, "s3_p07_t2.avi").touch()
    ...     oulu_vs(place)[0].labels
    {'speaker': '3', 'phrase': '7', 'take': '2'}
    """
    path, pattern = Path(path), re.compile(names, re.IGNORECASE)
    limits = {"speaker": 20, "phrase": 10, "take": 99}
    if missing := set(limits) - set(pattern.groupindex):
        raise ValueError(f"names has no group {', '.join(sorted(missing))}: write (?P<speaker>...)")
    expected = "s3_p07_t2.avi or the folder of pictures s3/p07/t2 (or pass names=)"
    clips, unknown, seen = [], [], dict[tuple[str, ...], Path]()
    for file in clip_paths(path, expected):
        name = file.relative_to(path).as_posix()
        match = pattern.fullmatch(name if file.is_dir() else name[: -len(file.suffix)])
        if match is None or not all(1 <= int(match[k]) <= top for k, top in limits.items()):
            unknown.append(file)
            continue
        labels = {k: str(int(match[k])) for k in limits}
        key = tuple(labels.values())
        if key in seen:
            raise ValueError(f"{file} and {seen[key]} are the same clip: remove one of them")
        seen[key] = file
        clips.append(Clip(file, labels))
    _refuse(unknown, path, expected + "; speakers 1 to 20, phrases 1 to 10")
    return clips


def moving_mnist(path: str | Path, *, start: int = 0, count: int = 100, frames: int = 20) -> Tensor:
    """Read sequences of Moving MNIST (Srivastava et al., 2015): (N, 3, T, 64, 64) in [-1, 1].

    `path` is mnist_test_seq.npy, 10,000 sequences of 20 frames kept as bytes (20, N, 64, 64):
    `abplib.data.fetch("moving-mnist")`. `start` is the first sequence, `count` how many, and
    `frames` (1 to 20) how many of each. Only those are read from the disk.

    Raises FileNotFoundError for a missing file; ValueError for another file and for bad numbers.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     np.save(f"{place}/two.npy", np.zeros((20, 2, 64, 64), np.uint8))
    ...     moving_mnist(f"{place}/two.npy", count=2, frames=16).shape
    torch.Size([2, 3, 16, 64, 64])
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; expected mnist_test_seq.npy")
    try:
        data = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} is no .npy file, or cut short ({error})") from error
    if data.dtype != np.uint8 or data.ndim != 4 or data.shape[2:] != (64, 64):
        raise ValueError(f"{path} holds {data.dtype} {data.shape}; expected uint8 (T, N, 64, 64)")
    start, count = at_least(0, "start", start), at_least(1, "count", count)
    length, sequences = data.shape[:2]
    if start + count > sequences or at_least(1, "frames", frames) > length:
        raise ValueError(
            f"{path} holds {sequences} sequences of {length} frames: sequences {start} to "
            f"{start + count - 1} of {frames} frames were asked for"
        )
    pixels = torch.from_numpy(np.array(data[:frames, start : start + count].swapaxes(0, 1)))
    return pixels.float().div_(127.5).sub_(1)[:, None].repeat(1, 3, 1, 1, 1)


def _group(file: Path, path: Path) -> str:
    """The folder of a clip, below the folder of the set; "" at the top."""
    parent = file.relative_to(path).parent.as_posix()
    return "" if parent == "." else parent


def _refuse(unknown: list[Path], path: Path, expected: str) -> None:
    """Name the files whose names a set does not know."""
    if unknown:
        names = ", ".join(file.relative_to(path).as_posix() for file in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise ValueError(
            f"{path} holds clips with unknown names: {names}{more}; expected {expected}. "
            "Move or rename them, or list any clips with abplib.data.folder"
        )
