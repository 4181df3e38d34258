"""Speech sounds as targets for mouth and sound, and the ten phrases of OuluVS spelled in them.

Formants are those of a vocal tract of 17 cm (Peterson and Barney, 1952, rounded); the other
numbers are set by hand, so that pictures and sounds pass for speech.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Phone:
    """The targets of one sound.

    Args:
        milliseconds: its usual length.
        opening: gap between the lips; 0 shut, 1 as for a wide "ah". Below 0 the lips are pressed
            together, so that they do shut in quick speech.
        spread: of the corners of the mouth; 1 a smile, -1 drawn together.
        rounding: of the lips; 1 pushed forward, as in "you".
        tongue: how much of it shows; 1 between the teeth, as in "thank".
        formants: the first three resonances of the vocal tract, in Hz.
        voice: strength of the vocal folds' tone, 0 to 1.
        breath: noise that the whole tract shapes, as in "hello".
        hiss: noise made at the teeth or at a sudden opening, of frequency `place` and bandwidth
            `band`, both in Hz.
        nasal: 1 where the sound leaves through the nose.
        hold: how much the mouth insists on this target against its neighbours'.
    """

    milliseconds: float
    opening: float
    spread: float = 0.0
    rounding: float = 0.0
    tongue: float = 0.3
    formants: tuple[float, float, float] = (500.0, 1500.0, 2500.0)
    voice: float = 0.0
    breath: float = 0.0
    hiss: float = 0.0
    place: float = 4000.0
    band: float = 3000.0
    nasal: float = 0.0
    hold: float = 1.0


def _vowel(
    ms: float, opening: float, spread: float, rounding: float, tongue: float, *f: float
) -> Phone:
    return Phone(ms, opening, spread, rounding, tongue, (f[0], f[1], f[2]), voice=1.0)


_REST = Phone(1000, -0.05, tongue=0.2, hold=1.5)
_STOP = {
    "p": (Phone(60, -0.3, hold=5.0), 1200.0, 1500.0, (400.0, 1000.0, 2300.0)),
    "t": (Phone(50, 0.16, tongue=0.6, hold=0.8), 4500.0, 3500.0, (350.0, 1750.0, 2650.0)),
    "k": (Phone(55, 0.28, tongue=0.4, hold=0.4), 2000.0, 1500.0, (350.0, 1900.0, 2350.0)),
}


def _stop(like: str, voiced: bool) -> tuple[Phone, Phone]:
    """Shut, and let go: the second half is the burst, which opens with the sound that follows."""
    base, place, band, formants = _STOP[like]
    shut = replace(base, formants=formants, voice=0.22 if voiced else 0.0)
    burst = replace(
        shut,
        milliseconds=14 if voiced else 30,
        opening=max(0.15, base.opening),
        hold=0.3,
        voice=0.3 if voiced else 0.0,
        breath=0.02 if voiced else 0.12,
        hiss=0.14 if voiced else 0.3,
        place=place,
        band=band,
    )
    return shut, burst


_S = Phone(105, 0.13, 0.3, 0.0, 0.35, (320.0, 1650.0, 2600.0), hiss=0.55, place=6500.0, band=2600.0)

PHONES: dict[str, tuple[Phone, ...]] = {
    "rest": (_REST,),
    "iy": (_vowel(110, 0.22, 0.6, 0.0, 0.5, 280, 2250, 2900),),
    "ih": (_vowel(75, 0.32, 0.35, 0.0, 0.45, 400, 1950, 2550),),
    "eh": (_vowel(95, 0.50, 0.25, 0.0, 0.35, 550, 1800, 2500),),
    "ae": (_vowel(115, 0.68, 0.35, 0.0, 0.3, 690, 1700, 2450),),
    "ah": (_vowel(70, 0.45, 0.0, 0.0, 0.3, 600, 1200, 2450),),
    "aa": (_vowel(115, 0.85, 0.0, 0.0, 0.25, 720, 1100, 2500),),
    "ao": (_vowel(100, 0.62, -0.45, 0.6, 0.2, 580, 850, 2450),),
    "uh": (_vowel(80, 0.32, -0.4, 0.5, 0.3, 450, 1050, 2300),),
    "uw": (_vowel(120, 0.16, -0.8, 0.95, 0.25, 310, 900, 2250),),
    "ay": (
        _vowel(100, 0.85, 0.0, 0.0, 0.25, 720, 1150, 2500),
        _vowel(65, 0.32, 0.4, 0.0, 0.45, 400, 1950, 2550),
    ),
    "aw": (
        _vowel(100, 0.85, 0.05, 0.0, 0.25, 720, 1250, 2500),
        _vowel(65, 0.28, -0.5, 0.7, 0.3, 450, 950, 2300),
    ),
    "ow": (
        _vowel(80, 0.55, -0.4, 0.6, 0.2, 560, 900, 2400),
        _vowel(70, 0.24, -0.6, 0.85, 0.25, 400, 850, 2300),
    ),
    "m": (
        Phone(75, -0.3, 0, 0, 0.2, (260.0, 1100.0, 2200.0), voice=0.5, nasal=1.0, hold=5.0),
    ),
    "n": (Phone(65, 0.2, 0.1, 0, 0.65, (280.0, 1600.0, 2600.0), voice=0.5, nasal=1.0, hold=0.8),),
    "ng": (Phone(70, 0.3, 0.1, 0, 0.4, (280.0, 2000.0, 2600.0), voice=0.45, nasal=1.0, hold=0.6),),
    "l": (Phone(65, 0.34, 0.0, 0, 0.85, (360.0, 1200.0, 2700.0), voice=0.7, hold=0.8),),
    "r": (Phone(70, 0.26, -0.35, 0.5, 0.3, (330.0, 1150.0, 1600.0), voice=0.7, hold=1.2),),
    "w": (Phone(70, 0.08, -0.85, 1.0, 0.2, (300.0, 650.0, 2200.0), voice=0.6, hold=2.5),),
    "y": (Phone(55, 0.2, 0.4, 0.0, 0.5, (270.0, 2250.0, 3000.0), voice=0.65, hold=0.6),),
    "hh": (Phone(60, 0.4, 0, 0, 0.3, (550.0, 1400.0, 2500.0), breath=0.35, hold=0.15),),
    "s": (_S,),
    "z": (replace(_S, milliseconds=75, hiss=0.3, voice=0.3),),
    "th": (
        Phone(
            95, 0.2, 0.1, 0, 1.0, (350.0, 1400.0, 2600.0), hiss=0.16, place=7000, band=6000, hold=2
        ),
    ),
    "v": (
        Phone(
            65, 0.05, 0.1, 0, 0.2, (300.0, 1150.0, 2300.0), 0.4, hiss=0.1, place=6000, band=6000,
            hold=3,
        ),
    ),
    "p": _stop("p", False),
    "b": _stop("p", True),
    "t": _stop("t", False),
    "d": _stop("t", True),
    "k": _stop("k", False),
    "g": _stop("k", True),
}  # fmt: skip
"""The sounds by name; a diphthong or a stop is two of them in turn."""

PHRASES: dict[str, tuple[str, ...]] = {
    "Excuse me": ("ih", "k", "s", "k", "y", "uw", "z", "m", "iy"),
    "Goodbye": ("g", "uh", "d", "b", "ay"),
    "Hello": ("hh", "ah", "l", "ow"),
    "How are you": ("hh", "aw", "aa", "r", "y", "uw"),
    "Nice to meet you": ("n", "ay", "s", "t", "ah", "m", "iy", "t", "y", "uw"),
    "See you": ("s", "iy", "y", "uw"),
    "I am sorry": ("ay", "ae", "m", "s", "aa", "r", "iy"),
    "Thank you": ("th", "ae", "ng", "k", "y", "uw"),
    "Have a good time": ("hh", "ae", "v", "ah", "g", "uh", "d", "t", "ay", "m"),
    "You are welcome": ("y", "uw", "aa", "r", "w", "eh", "l", "k", "ah", "m"),
}
"""The ten phrases of OuluVS, as sequences of `PHONES`."""


def spell(phrase: str) -> list[Phone]:
    """The sounds of a phrase, in order.

    Raises:
        ValueError: for a phrase that is not one of `PHRASES`.

    >>> len(spell("Hello")), spell("Hello")[0].breath
    (5, 0.35)
    """
    if phrase not in PHRASES:
        raise ValueError(f"unknown phrase {phrase!r}: expected one of {', '.join(PHRASES)}")
    return [phone for name in PHRASES[phrase] for phone in PHONES[name]]
