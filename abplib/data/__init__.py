"""Where videos come from: files (`video`), sets of clips (`datasets`, `fetch`), and `patterns`."""

from abplib.data.clips import Clip, load, split
from abplib.data.datasets import dyntex, folder, moving_mnist, oulu_vs, weizmann
from abplib.data.download import fetch, fetch_url, sha256_of
from abplib.data.talking import load_speakers, read_sound, talking_face

__all__ = [
    "Clip",
    "dyntex",
    "fetch",
    "fetch_url",
    "folder",
    "load",
    "load_speakers",
    "moving_mnist",
    "oulu_vs",
    "read_sound",
    "sha256_of",
    "split",
    "talking_face",
    "weizmann",
]
