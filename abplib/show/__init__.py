"""What a notebook displays: film strips, players, sliders, sounds, tables; knows no model."""

from __future__ import annotations

from abplib.show._explore import explore
from abplib.show._player import player
from abplib.show._slider import slider
from abplib.show._sound import sounds
from abplib.show._strip import figure, strip
from abplib.show._style import use_book_style
from abplib.show._table import table

__all__ = ["explore", "figure", "player", "slider", "sounds", "strip", "table", "use_book_style"]
