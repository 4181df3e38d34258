"""Table 4 (section 3.5): the mouth from the sound, and the sound from the mouth.

python -m abplib.experiments multimodal --preset book --seeds 3 --out book/results/multimodal.json

Ten speakers are learned from, three others are tested on; all say ten phrases, five times each.
Every seed has speakers of its own. With --clips the speakers are those of a folder (see
`abplib.data.talking.load_speakers`), the last three by number are tested on, and the lips' true
opening is the one seen in the true pictures.

Methods, each given the training clips and one view of the new ones:

* ABP: the preset (`abplib.multimodal.PRESETS`);
* ABP, one chain: the same run of Algorithm 1, but predictions as the paper has them, by one chain
  of 200 steps from the prior, with its mean sound: without `known_starts`, `gain` and `price`;
* ABP, loud: as ABP, without `gain` and `price`, so with the mean of draws as it is;
* ABP, waveform: the same preset with the sound as samples, as the paper has it, and a third of the
  iterations: there is little to learn;
* CCA: canonical correlations between videos and waveforms, numbers of components chosen on one of
  the training speakers;
* CCA, spectrum: the same with levels of the spectrum instead of samples; sound is made from
  predicted levels by Griffin and Lim's method;
* CCA, spectrum, soft: the same with ABP's `gain` and `price`;
* nearest neighbour: the training clip nearest in the given view (videos as prepared for ABP, sounds
  by their spectrum), its other view returned;
* nearest neighbours: as many as ABP's chains start from, the mean of their other views returned,
  levels where it is sound;
* mean: the mean of the training clips; silence: no sound at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from abplib.data import speech
from abplib.experiments.record import Cell, fill
from abplib.experiments.two_views import NEW, TRAINING, Predictions, clips_of
from abplib.lips import lip_correlation, lip_opening
from abplib.multimodal import PRESETS, MultimodalPreset
from abplib.spectra import log_spectral_distance

VIDEO, SOUND = "V->A", "A->V"
PAPER: dict[str, dict[str, tuple[float, ...]]] = {
    VIDEO: {
        "CCA": (0.1779, 0.1828, 0.1878, 0.1894, 0.1870, 0.1889, 0.1943, 0.1842, 0.1818, 0.1821),
        "ABP": (0.0179, 0.0243, 0.0199, 0.0379, 0.0210, 0.0184, 0.0306, 0.0164, 0.0301, 0.0348),
    },
    SOUND: {
        "CCA": (0.4269, 0.4468, 0.4326, 0.6225, 0.4549, 0.4811, 0.5945, 0.4472, 0.6044, 0.5892),
        "ABP": (0.1771, 0.1860, 0.1758, 0.1735, 0.1791, 0.1747, 0.1788, 0.1713, 0.1846, 0.1743),
    },
}
"""The paper's Table 4: mean absolute error of each phrase, in the order of `PHRASES`."""


@lru_cache(maxsize=1)
def predictions_of(
    preset: MultimodalPreset, seed: int, takes: int, folder: str | None
) -> Predictions:
    """What the methods of one seed share: the clips, and what was learned from them."""
    return Predictions(preset, *clips_of(preset, seed, takes, folder), seed)


METHODS: dict[str, Callable[[Predictions], tuple[Tensor, Tensor | None]]] = {
    "ABP": Predictions.abp,
    "ABP, one chain": Predictions.one_chain,
    "ABP, loud": lambda p: p.abp(gain=1.0, price=None),
    "ABP, waveform": Predictions.waveform,
    "CCA": Predictions.cca_waveform,
    "CCA, spectrum": Predictions.cca_spectrum,
    "CCA, spectrum, soft": Predictions.cca_soft,
    "nearest neighbour": Predictions.nearest,
    "nearest neighbours": Predictions.several,
    "mean": Predictions.mean,
    "silence": Predictions.silence,
}
"""The methods by name; each gives sounds and videos of the new clips."""


def measure(
    preset: MultimodalPreset, method: str, seed: int, takes: int = 5, folder: str | None = None
) -> list[dict[str, Any]]:
    """Rows of one method and seed: both directions, a row a phrase."""
    predictions = predictions_of(preset, seed, takes, folder)
    sounds, videos = METHODS[method](predictions)
    new = predictions.new
    errors = (sounds - new.sounds).abs().mean((1, 2))
    distances = log_spectral_distance(sounds, new.sounds, preset.rate)
    rows = []
    for number, phrase in enumerate(speech.PHRASES):
        said = new.phrases == number
        if said.any():
            row = {"direction": VIDEO, "phrase": phrase, "error": _rounded(errors[said])}
            rows.append({**row, "log_spectral_distance": _rounded(distances[said])})
    if videos is None:
        return rows
    errors = (videos - new.videos).abs().mean((1, 2, 3, 4))
    opening = lip_opening(new.videos) if new.opening is None else new.opening
    lips = lip_correlation(videos, opening)
    for number, phrase in enumerate(speech.PHRASES):
        said = new.phrases == number
        if said.any():
            row = {"direction": SOUND, "phrase": phrase, "error": _rounded(errors[said])}
            rows.append({**row, "lip_correlation": _rounded(lips[said])})
    return rows


def _rounded(values: Tensor) -> float:
    """The mean to four significant digits."""
    return float(f"{float(values.mean()):.4g}")


def add_command(commands: Any) -> None:
    """Add ``multimodal`` to the subcommands of an argument parser."""
    parser = commands.add_parser("multimodal", help="the mouth from the sound, and back (Table 4)")
    add = parser.add_argument
    add("--out", required=True, type=Path, help="JSON file of the results")
    add("--preset", default="book", choices=tuple(PRESETS), help="default: book")
    add("--seeds", type=int, default=3, help="number of seeds, from 0 (default 3)")
    add("--takes", type=int, default=5, help="repetitions of each phrase (default 5)")
    add("--clips", help="folder of talking faces, instead of clips made here")
    add("--methods", nargs="+", default=list(METHODS), choices=tuple(METHODS), metavar="NAME")
    add("--jobs", type=int, default=1, help="cells at once, each on one core (default 1)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fill the cells that the file does not hold yet; returns what it holds.

    Raises:
        ValueError: for no seed, and a file made with other settings.
    """
    if options.seeds < 1:
        raise ValueError(f"--seeds is {options.seeds}; expected 1 or more")
    preset = PRESETS[options.preset]
    settings = {
        "preset": options.preset,
        "takes": options.takes,
        "clips": Path(options.clips).name if options.clips else None,
        "training_speakers": TRAINING,
        "new_speakers": NEW,
        "values": asdict(preset),
    }
    cells = [
        Cell(
            {"method": method, "seed": seed},
            measure,
            (preset, method, seed, options.takes, options.clips),
        )
        for seed in range(options.seeds)
        for method in options.methods
    ]
    record = fill(options.out, settings, cells, jobs=options.jobs)
    report(record["rows"])
    return record


def averages(rows: list[dict[str, Any]], direction: str) -> dict[str, dict[str, float]]:
    """Means over phrases and seeds: method -> measure -> value.

    >>> row = {"direction": "V->A", "method": "mean", "error": 0.5, "log_spectral_distance": 9.0}
    >>> averages([row], "V->A")
    {'mean': {'error': 0.5, 'log_spectral_distance': 9.0}}
    """
    table: dict[str, dict[str, float]] = {}
    other = "log_spectral_distance" if direction == VIDEO else "lip_correlation"
    mine = [row for row in rows if row["direction"] == direction]
    for method in dict.fromkeys(row["method"] for row in mine):
        own = [row for row in mine if row["method"] == method]
        table[method] = {
            name: sum(row[name] for row in own) / len(own) for name in ("error", other)
        }
    return table


def report(rows: list[dict[str, Any]]) -> None:
    """Print the means of every method."""
    for direction in (VIDEO, SOUND):
        for method, values in averages(rows, direction).items():
            told = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            print(f"{direction} {method}: {told}")
