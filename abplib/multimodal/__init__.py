"""Section 3.5: video and sound from one latent, and either one from the other.

    video = G_v(Z; W_v) + noise,    sound = G_a(Z; W_a) + noise,    Z ~ N(0, I)

Learning is Algorithm 1 with two views. To see what is heard, Z is inferred from the sound alone and
given to G_v; to hear what is seen, the other way round.

The paper's form is the preset ``paper``. The other presets switch on what `MultimodalPreset` names,
each an option of its own:

* ``spectral``: the view of the sound compares levels of its spectrum, not samples. The generator of
  sound is the same, with a fixed map behind it (`abplib.spectra.LogSpectrum`).
* ``still``: what sound cannot tell, the look of a face, is taken out of the videos: each clip's
  mean frame is subtracted, and the mean frame of the training clips is put back.
* ``draws``: a prediction is the mean over so many states of its chain, so over the posterior.
* ``known_starts``: chains that predict start at the codes of the known clips that are nearest in
  the given view, one chain from each, and the prediction is the mean over chains as well. There the
  generators have learned what to make; a chain from the prior ends where they have not.
* ``gain``: predicted motion is multiplied by it. A mean over draws moves less than each of them.
* ``price``: a predicted sound has the posterior's mean levels, and is otherwise as soft as it can
  be: see `abplib.spectra.soft_sound`.
"""

from __future__ import annotations

from abplib.multimodal.preset import PRESETS, MultimodalPreset
from abplib.multimodal.run import Multimodal

__all__ = ["PRESETS", "Multimodal", "MultimodalPreset"]
