"""Where videos come from: files (`video`), sets of clips (`datasets`, `fetch`), and `patterns`."""

from abplib.data.clips import Clip, load, split
from abplib.data.datasets import dyntex, folder, moving_mnist, oulu_vs, weizmann
from abplib.data.download import fetch, fetch_url, sha256_of

__all__ = [
    "Clip",
    "dyntex",
    "fetch",
    "fetch_url",
    "folder",
    "load",
    "moving_mnist",
    "oulu_vs",
    "sha256_of",
    "split",
    "weizmann",
]
