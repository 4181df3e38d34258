"""Ten phrases, seen and heard: a stand-in for OuluVS, never two clips alike.

One articulatory score (`score`) drives both: `picture` draws the mouth, `sound` makes the voice by
a source and a filter. Speakers differ in vocal tract, pitch, speed, lips, skin and light;
repetitions of a phrase in timing, force and tune. Nothing is recorded from anyone.
"""

from abplib.data.speech.clips import Spoken, clip, dataset
from abplib.data.speech.phones import PHONES, PHRASES, Phone
from abplib.data.speech.picture import picture
from abplib.data.speech.score import Score, score
from abplib.data.speech.sound import sound
from abplib.data.speech.speaker import Speaker, draw_speaker

__all__ = [
    "PHONES",
    "PHRASES",
    "Phone",
    "Score",
    "Speaker",
    "Spoken",
    "clip",
    "dataset",
    "draw_speaker",
    "picture",
    "score",
    "sound",
]
