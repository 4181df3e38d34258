"""The results in the README, written from the records: python book/_tools/readme.py.

The lines between the two markers are replaced. A test holds that they are what the records say.
"""

from __future__ import annotations

from pathlib import Path

from abplib import recorded
from abplib.experiments.summary import means, of_budget

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- results: book/_tools/readme.py -->", "<!-- end of results -->"
TABLES = {
    1: ("interpolation", "ABP", {"consecutive": "8 frames", "random": "3 x 3 frames"}),
    2: ("recovery", "3D ABP", {"M0.5": "M0.5", "P20": "P20", "B35": "B35"}),
    3: ("incomplete", "3D ABP", {"M0.5": "M0.5", "P20": "P20", "B25x25x15": "B25"}),
}
OTHERS = ("ABP + components", "LI-ABP", "3D VAE", "LHD", "linear")
SPEECH = ("ABP", "CCA", "CCA, spectrum", "nearest neighbour", "mean", "silence")
HEAD = (
    "| table | hidden | plain ABP | + components | LI-ABP | 3D VAE | heat diffusion | "
    "straight line | best named ABP variant |"
)


def lines() -> list[str]:
    """The lines between the markers: tables 1 to 3 in one, and table 4."""
    found, seeds = [HEAD, "|---" * 9 + "|"], set()
    for number, (name, plain, masks) in TABLES.items():
        rows = of_budget(
            [{"budget": "seconds", **row} for row in recorded.load(f"{name}.json")["rows"]],
            "seconds",
        )
        seeds.add(len({row["seed"] for row in rows}))
        error = {key: pair[0] for key, pair in means(rows).items()}
        for mask, label in masks.items():
            here = {method: value for (m, method), value in error.items() if m == mask}
            best = min((m for m in here if "ABP + " in m), key=lambda m: here[m])
            cells = [here[plain], *(here.get(method) for method in OTHERS)]
            told = " | ".join("" if value is None else f"{value:.3f}" for value in cells)
            found.append(f"| {number} | {label} | {told} | {here[best]:.3f} ({best}) |")
    title = f"Means over the videos of each table and {_count(seeds)}."
    return [title, "", *found, "", *speech()]


def speech() -> list[str]:
    """Table 4 in Markdown, with the measures that a listener or a viewer would trust."""
    rows = recorded.load("multimodal.json")["rows"]
    count = _count({len({row["seed"] for row in rows})})
    found = [
        f"Table 4, new speakers, means over ten phrases and {count}: mean absolute error of the "
        "predicted view, lip-opening correlation with the score, log-spectral distance in dB.",
        "",
        f"| predicted | measure | {' | '.join(SPEECH)} |",
        "|---" * (2 + len(SPEECH)) + "|",
    ]
    for direction, told, measures in (
        ("A->V", "mouth from sound", ("error", "lip_correlation")),
        ("V->A", "sound from mouth", ("error", "log_spectral_distance")),
    ):
        for measure in measures:
            mine = [row for row in rows if row["direction"] == direction]
            here = {m: pair[0] for (m,), pair in means(mine, measure, by=("method",)).items()}
            values = [f"{here[method]:.3f}" if method in here else "" for method in SPEECH]
            found.append(f"| {told} | {measure.replace('_', ' ')} | {' | '.join(values)} |")
    return found


def _count(seeds: set[int]) -> str:
    low, high = min(seeds), max(seeds)
    several = f"{low}" if low == high else f"{low} to {high}"
    return f"{several} seed{'s' if high > 1 else ''}"


def main() -> None:
    """Write the results into the README."""
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    README.write_text("\n".join([head + BEGIN, *lines(), END]) + tail, encoding="utf-8")


if __name__ == "__main__":
    main()
