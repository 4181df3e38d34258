"""Every number that a chapter or an experiment trains with: presets ci, quick, book and paper.

``paper`` is section 4.1 as printed. ``book`` convinces after about a minute of one CPU core,
``quick`` after 20 to 30 seconds, and ``ci`` proves in a few that everything runs. What a preset
changes against the paper it declares: see `Preset.differs_from_paper`.
"""

from __future__ import annotations

from typing import Any

from abplib.presets.base import Preset
from abplib.presets.model1 import MODEL1, SMALL_PARTS, Model1Preset
from abplib.presets.model2 import MODEL2, Model2Preset
from abplib.presets.model3 import MODEL3, Model3Preset

__all__ = [
    "MODEL1",
    "MODEL2",
    "MODEL3",
    "MODELS",
    "SMALL_PARTS",
    "Model1Preset",
    "Model2Preset",
    "Model3Preset",
    "Preset",
]

MODELS: dict[int, dict[str, Any]] = {1: MODEL1, 2: MODEL2, 3: MODEL3}
"""Every model's presets, by the paper's number of the model."""
