"""Command line of the experiments: ``python -m abplib.experiments synthesis --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from abplib.experiments import (
    actions,
    families,
    figure2,
    incomplete,
    interpolation,
    multimodal,
    options,
    recovery,
    synthesis,
)
from abplib.experiments.record import FailedCellsError
from abplib.langevin import DivergenceError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one experiment and return the exit status: 0, or 2 with what was wrong.

    >>> main(["synthesis", "--video", "nowhere.mp4", "--out", "nowhere"])
    2
    """
    parser = argparse.ArgumentParser(prog="python -m abplib.experiments", description=__doc__)
    commands = parser.add_subparsers(dest="experiment", required=True)
    synthesis.add_command(commands)
    families.add_command(commands)
    options.add_command(commands)
    actions.add_command(commands)
    figure2.add_command(commands)
    interpolation.add_command(commands)
    recovery.add_command(commands)
    incomplete.add_command(commands)
    multimodal.add_command(commands)
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except (ValueError, OSError, DivergenceError, FailedCellsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on (synthesis: with --resume)", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
