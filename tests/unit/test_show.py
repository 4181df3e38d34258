"""What a notebook displays: layout, markup, bytes, errors, and the live control."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from abplib import show
from abplib.show import _explore, _output, _player, _slider, _strip, _table, _video

VIDEO = torch.zeros(3, 4, 8, 8)
VOID = {"area", "base", "br", "hr", "img", "input", "link", "meta"}


class Page(HTMLParser):
    """Collects elements with their attributes and checks that every tag is closed."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(markup)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def one(self, tag: str, name: str | None = None) -> dict[str, str | None]:
        """Return the attributes of the only element with this tag and class."""
        found = self.all(tag, name)
        assert len(found) == 1, (tag, name, len(found))
        return found[0]

    def all(self, tag: str, name: str | None = None) -> list[dict[str, str | None]]:
        """Return the attributes of every element with this tag and class."""
        return [a for t, a in self.elements if t == tag and name in (None, a.get("class"))]


def waves(frames: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """A smooth coloured clip (3, T, H, W): a few plane waves that move."""
    generator = torch.Generator().manual_seed(seed)
    t, y, x = torch.meshgrid(
        torch.arange(frames), torch.arange(height), torch.arange(width), indexing="ij"
    )
    speed = 0.2 + 0.3 * torch.rand(3, 4, generator=generator)
    phase = 6 * torch.rand(3, 4, generator=generator)
    sines = [
        sum(
            torch.sin(speed[c, k] * (t + (k - 1.5) * x / 4 + (2 - k) * y / 4) + phase[c, k])
            for k in range(4)
        )
        for c in range(3)
    ]
    return torch.stack([0.24 * torch.as_tensor(s) for s in sines])


def pictures(markup: str) -> list[npt.NDArray[np.uint8]]:
    """Decode every data URI of the page."""
    coded = re.findall(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", markup)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(c))).convert("RGB")) for c in coded]


def percent(style: str | None, name: str) -> list[float]:
    """Return the percentages of one property of a style attribute."""
    assert style is not None
    found = re.search(rf"{name}:([\d.]+)% ([\d.]+)%", style)
    assert found is not None
    return [float(x) / 100 for x in found.groups()]


# ---- videos ---------------------------------------------------------------------------------


def test_pixels_become_bytes_at_both_ends_and_the_middle() -> None:
    video = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3)
    [(label, frames)] = _video.labelled_frames(video)
    assert label == ""
    assert frames.shape == (1, 1, 3, 3)
    assert frames[0, 0, :, 0].tolist() == [0, 128, 255]


def test_axes_keep_their_meaning() -> None:
    video = torch.full((3, 2, 4, 5), -1.0)
    video[1, 1, 2, 3] = 1  # green, second frame, third row, fourth column
    [(_, frames)] = _video.labelled_frames(video)
    assert np.argwhere(frames == 255).tolist() == [[1, 2, 3, 1]]


def test_labels_of_batches_and_sequences() -> None:
    def labels(videos: _video.Videos) -> list[str]:
        return [label for label, _ in _video.labelled_frames(videos)]

    batch = VIDEO.expand(2, -1, -1, -1, -1)
    assert labels(batch) == ["1", "2"]
    assert labels([VIDEO, VIDEO]) == ["1", "2"]
    assert labels({"a": batch, "b": VIDEO[None], "c": VIDEO}) == ["a 1", "a 2", "b", "c"]


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ({}, "no video to show: pass at least one"),
        ({"a": VIDEO[:, 0]}, r"'a' has shape \(3, 8, 8\), expected \(C, T, H, W\)"),
        ({"a": VIDEO.permute(1, 2, 3, 0)}, "expected .* C = 1 or 3: move the colour axis"),
        ({"a": VIDEO[:, :0]}, "is empty"),
        ({"a": VIDEO[None][:0]}, "is empty"),
        ({"a": VIDEO / 0}, "768 values that are NaN or infinite: .* diverged"),
        ({"a": VIDEO + 2}, r"runs from 2 to 2, expected \[-1, 1\]: cut it with .clamp"),
        ({"a": VIDEO.to(torch.uint8)}, "holds uint8, expected floats .* x / 127.5 - 1"),
        ({"a": VIDEO.bool()}, "holds bool, .* 2.0 \\* mask - 1"),
    ],
)
def test_bad_videos_say_what_to_do(videos: _video.Videos, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        show.player(videos, alt="Nothing.")
    with pytest.raises(ValueError, match=message):
        show.strip(videos)


# ---- player ---------------------------------------------------------------------------------


def test_sprite_holds_every_frame_where_the_page_looks_for_it() -> None:
    clips = {"a": waves(13, 16, 24), "b": waves(5, 32, 20, seed=1)}
    markup = _player.player_bundle(clips, "Waves.").data["text/html"]
    [sheet] = pictures(markup)
    page = Page(markup)
    for (_, clip), tile in zip(
        _video.labelled_frames(clips), page.all("span", "abp-tile"), strict=True
    ):
        numbers = [int(n) for n in str(tile["data-grid"]).split()]
        sheet_w, sheet_h, width, height, edge, top, columns, frames = numbers
        assert (sheet_h, sheet_w) == sheet.shape[:2]
        assert (frames, height, width) == clip.shape[:3]
        found = []
        for k in range(frames):
            y = top + edge + k // columns * (height + 2 * edge)
            x = edge + k % columns * (width + 2 * edge)
            found.append(sheet[y : y + height, x : x + width])
        error = np.abs(np.stack(found)[:, None].astype(float) - clip).mean(axis=(2, 3, 4))
        # Each frame is nearest to its own original. WebP at quality 60 moves the pixels of these
        # clips by 3 to 4.5 of 255 levels on average (measured); 8 allows for another encoder.
        assert error.argmin(axis=1).tolist() == list(range(frames))
        assert error.diagonal().max() < 8
        # The style attribute alone shows the first frame: sheet size and place of its corner.
        size, place = (
            percent(tile["style"], "background-size"),
            percent(tile["style"], "background-position"),
        )
        # Percentages are written with 4 decimals, 1e-6 as fractions, of sheets below 1,000 pixels.
        assert np.allclose(np.multiply(size, (width, height)), (sheet_w, sheet_h), atol=1e-3)
        corner = np.multiply(place, (sheet_w - width, sheet_h - height))
        assert np.allclose(corner, (edge, top + edge), atol=1e-3)


def test_player_markup() -> None:
    bundle = _player.player_bundle(
        {"observed": VIDEO, "b & c": waves(6, 8, 8)}, 'Blue "flames".', "<Fire>", fps=8
    )
    markup = bundle.data["text/html"]
    page = Page(markup)
    figure = page.one("figure", "abp-player")
    assert re.fullmatch(r"abp-[0-9a-f]{10}", str(figure["id"]))
    assert figure["data-fps"] == "8"
    assert "data-autoplay" not in figure
    frame = page.one("div", "abp-frame")
    assert frame["role"] == "img"
    assert frame["aria-label"] == 'Blue "flames". Videos: observed, b & c.'
    assert page.one("button", "abp-play")["type"] == "button"
    scrub = page.one("input", "abp-scrub")
    assert (scrub["aria-label"], scrub["min"], scrub["max"]) == ("Frame", "0", "5")
    assert page.one("output")["aria-live"] == "off"
    assert page.all("noscript")
    assert "<figcaption>&lt;Fire&gt;</figcaption>" in markup
    assert not re.search(r"https?:|src=.?//", markup)
    assert bundle.data["text/plain"] == '<player: Blue "flames".>'


def test_player_is_the_same_bytes_again_and_another_id_for_another_video() -> None:
    clip = waves(6, 16, 16)
    first, again, other = (
        _player.player_bundle(v, "Waves.").data["text/html"]
        for v in (clip, clip.clone(), waves(6, 16, 16, seed=1))
    )
    assert first == again
    assert Page(first).one("figure")["id"] != Page(other).one("figure")["id"]


def test_player_stays_light() -> None:
    # The book's pages hold many: three textured clips of 64 frames have to stay below 200 kB.
    generator = torch.Generator().manual_seed(0)
    grain = 0.05 * torch.randn(3, 3, 64, 64, 64, generator=generator)
    clips = torch.stack([waves(64, 64, 64, seed=k) for k in range(3)])
    markup = _player.player_bundle((clips + grain).clamp(-1, 1), "Three.").data["text/html"]
    assert len(markup) < 200_000


def test_player_fits_the_page() -> None:
    clips = torch.zeros(12, 1, 2, 64, 64)
    markup = _player.player_bundle(clips, "Twelve.").data["text/html"]
    found = re.search(r"repeat\((\d+),minmax\(0,(\d+)px\)\)", markup)
    assert found is not None
    columns, width = map(int, found.groups())
    assert width >= 96
    assert columns * width + (columns - 1) * 8 <= 720
    markup = _player.player_bundle(clips, "Twelve.", scale=3, columns=2).data["text/html"]
    assert "repeat(2,minmax(0,192px))" in markup


def test_player_refuses_what_it_cannot_show() -> None:
    with pytest.raises(ValueError, match="alt is blank"):
        show.player(VIDEO, alt=" ")
    with pytest.raises(ValueError, match="fps is 0: pass a positive number"):
        show.player(VIDEO, alt="Grey.", fps=0)
    with pytest.raises(ValueError, match="WebP holds 16383 a side: show fewer"):
        show.player(torch.zeros(1, 1, 1, 17000), alt="Too wide.")


# ---- strip and figure -----------------------------------------------------------------------


def test_strip_draws_every_pixel_and_leaves_ended_videos_empty(tmp_path: Path) -> None:
    long, short = waves(9, 8, 12), waves(3, 8, 12, seed=1)
    target = tmp_path / "new" / "strip.png"
    show.strip({"a": long, "b": short}, frames=[0, 2, 8], scale=3, path=target)
    drawn = np.asarray(Image.open(target).convert("RGB"))
    (_, first), (_, second) = _video.labelled_frames([long, short])
    left = drawn.shape[1] - 3 * (3 * 12 + 2 * 2)
    for row, clip in enumerate((first, second)):
        for column, t in enumerate((0, 2, 8)):
            y, x = _strip._TOP + row * 30, left + column * 42
            tile = drawn[y : y + 24, x : x + 36]
            if t < len(clip):
                assert np.array_equal(tile, clip[t].repeat(3, 0).repeat(3, 1))
            else:
                assert (tile == 255).all()
    assert (drawn[: _strip._TOP] < 128).any()  # the frame numbers
    assert (drawn[:, :left] < 128).any()  # the labels


def test_strip_is_one_image_with_its_alternative_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[_output.Bundle] = []
    monkeypatch.setattr(_strip, "emit", shown.append)
    show.strip({"observed": VIDEO}, frames=2, caption="A strip.")
    show.strip({"observed": VIDEO}, frames=2, caption="A strip.")
    first, again = shown
    assert set(first.data) == {"image/png", "text/plain"}
    metadata = first.metadata["image/png"]
    alt = "Film strip, time from left to right. Rows: observed. Frames 0, 3."
    assert (metadata["alt"], metadata["caption"]) == (alt, "A strip.")
    assert first.data == again.data
    assert plt.get_fignums() == []


def test_strip_spreads_frames_evenly() -> None:
    assert _strip._times(8, 64) == [0, 9, 18, 27, 36, 45, 54, 63]
    assert _strip._times(8, 3) == [0, 1, 2]
    assert _strip._times(1, 64) == [0]
    with pytest.raises(ValueError, match=r"\[64\] asked for, .* pass numbers from 0 to 63"):
        _strip._times([64], 64)
    with pytest.raises(ValueError, match="frames is 0"):
        _strip._times(0, 64)
    with pytest.raises(ValueError, match="scale is 0"):
        show.strip(VIDEO, scale=0)


def line(slope: float) -> Figure:
    """A figure of one line."""
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, 1], [0, slope])
    ax.set_ylim(0, 4)
    return fig


def test_figure_is_closed_and_carries_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[_output.Bundle] = []
    monkeypatch.setattr(_strip, "emit", shown.append)
    show.figure(line(1), alt="A rising line.")
    show.figure(line(1), alt="A rising line.")
    assert plt.get_fignums() == []
    assert set(shown[0].data) == {"image/png", "text/plain"}
    assert shown[0].metadata["image/png"]["alt"] == "A rising line."
    assert shown[0].data == shown[1].data
    with pytest.raises(ValueError, match="alt is blank"):
        show.figure(line(1), alt="")
    plt.close("all")


def test_book_style_varies_line_with_colour(tmp_path: Path) -> None:
    with mpl.rc_context():
        show.use_book_style()
        cycle = list(mpl.rcParams["axes.prop_cycle"])
        assert len({str(c["linestyle"]) for c in cycle}) == len({c["color"] for c in cycle}) == 7
        assert mpl.rcParams["figure.facecolor"] == "white"
        # Warnings are errors in this suite: everyday plots must raise none.
        fig, ax = plt.subplots(1, 2)
        ax[0].plot([1, 2], label="a")
        ax[0].legend()
        ax[1].bar([0, 1], [1, 2])
        fig.colorbar(ax[1].imshow(np.eye(3)))
        _output.figure_png(fig)
        show.strip({"a": VIDEO}, path=tmp_path / "strip.png")


# ---- slider ---------------------------------------------------------------------------------


def test_slider_holds_every_picture_and_a_still() -> None:
    images = [np.random.default_rng(k).random((6, 9, 3)) for k in range(4)]
    bundle = _slider.slider_bundle(
        images, list("abcd"), "step <size>", "Noise.", "Four.", start=2, scale=5
    )
    markup = bundle.data["text/html"]
    stack = [np.rint(image * 255).astype(np.uint8) for image in images]
    assert all(map(np.array_equal, pictures(markup), stack))  # arrays are kept exactly
    still = Image.open(io.BytesIO(base64.b64decode(bundle.data["image/png"])))
    assert np.array_equal(np.asarray(still), stack[2])
    page = Page(markup)
    assert ["hidden" in img for img in page.all("img")] == [True, True, False, True]
    assert {(img["alt"], img["width"], img["height"]) for img in page.all("img")} == {
        ("", "45", "30")
    }
    assert page.one("div", "abp-frame")["aria-label"] == "Noise."
    control = page.one("input", "abp-scrub")
    assert (control["value"], control["max"], control["aria-valuetext"]) == ("2", "3", "c")
    assert page.one("label")["for"] == control["id"]
    assert "step &lt;size&gt;</label>" in markup
    assert page.one("figure", "abp-slider")
    assert not re.search(r"https?:", markup)
    again = _slider.slider_bundle(
        images, list("abcd"), "step <size>", "Noise.", "Four.", start=2, scale=5
    )
    assert again.data == bundle.data


def test_slider_of_figures_keeps_white_and_closes_them() -> None:
    shades = pictures(
        _slider.slider_bundle([line(1), line(3)], [1, 3], "slope", "Lines.").data["text/html"]
    )
    assert plt.get_fignums() == []
    for shade, slope in zip(shades, (1, 3), strict=True):
        exact = Image.open(io.BytesIO(_output.figure_png(line(slope)))).convert("RGB")
        assert shade[0, 0].tolist() == [255, 255, 255]
        # 256 colours for a plot: one level of 255 on average is far below what an eye can see.
        assert np.abs(shade.astype(float) - np.asarray(exact)).mean() < 1


@pytest.mark.parametrize(
    ("images", "settings", "message"),
    [
        ([], {}, "0 images and 2 labels"),
        ([np.zeros((2, 2))], {}, "1 images and 2 labels"),
        ([np.zeros((2, 2)), np.zeros((2, 3))], {}, "sizes 2 x 2, 3 x 2 .* one size"),
        ([np.zeros((2, 2)), np.zeros((3, 2, 2))], {}, r"shape \(3, 2, 2\), .* permute"),
        ([np.zeros((2, 2)), np.full((2, 2), -1.0)], {}, r"not within \[0, 1\]"),
        ([np.zeros((2, 2)), np.full((2, 2), np.nan)], {}, r"not within \[0, 1\]"),
        ([np.zeros((2, 2))] * 2, {"start": 2}, "start is 2: pass a position from 0 to 1"),
        ([np.zeros((2, 2))] * 2, {"name": ""}, "name is blank"),
        ([np.zeros((2, 2))] * 2, {"alt": ""}, "alt is blank"),
        ([np.zeros((2, 2))] * 2, {"scale": 0}, "scale is 0"),
    ],
)
def test_bad_sliders_say_what_to_do(
    images: list[npt.NDArray[np.float64]], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        show.slider(images, ["a", "b"], **{"name": "size", "alt": "Grey.", **settings})  # type: ignore[arg-type]


# ---- explore --------------------------------------------------------------------------------


def test_live_control_draws_for_the_value_it_is_moved_to() -> None:
    ipywidgets = pytest.importorskip("ipywidgets")
    drawn: list[float] = []

    def draw(value: float) -> Figure:
        drawn.append(value)
        return line(value)

    box = _explore.live_control(draw, "slope", [1.0, 2.0, 3.0], ["1", "2", "3"], 2.0, "A line.")
    control = box.children[1]
    assert isinstance(control, ipywidgets.FloatSlider)
    assert (control.min, control.max, control.value, control.description) == (1, 3, 2, "slope")
    assert drawn == []
    control.value = 1.26  # between the precomputed values
    assert drawn == [1.26]
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("values", "kind", "value"),
    [
        ([1, 2, 8], "IntSlider", 8),
        ([0.1, 0.2, 0.3], "FloatSlider", 0.2),
        ([0.01, 0.1, 1.0], "FloatLogSlider", 0.1),
        (["same", "valid"], "SelectionSlider", "valid"),
        ([False, True], "SelectionSlider", True),
    ],
)
def test_live_control_fits_its_values(values: list[object], kind: str, value: object) -> None:
    ipywidgets = pytest.importorskip("ipywidgets")
    box = _explore.live_control(
        lambda v: line(1), "choice", values, [str(v) for v in values], value, "A line."
    )
    control = box.children[1]
    assert type(control) is getattr(ipywidgets, kind)
    assert control.value == value


def test_explore_shows_every_value_and_starts_in_the_middle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[_output.Bundle] = []
    monkeypatch.setattr(_explore, "emit", shown.append)
    show.explore(line, name="slope", values=[1.0, 2.5, 3.0], alt="A line.")
    show.explore(line, name="slope", values=[1.0, 2.5, 3.0], alt="A line.", start=3.0)
    page = Page(shown[0].data["text/html"])
    assert [img["data-label"] for img in page.all("img")] == ["1", "2.5", "3"]
    assert page.one("input")["value"] == "1"
    assert Page(shown[1].data["text/html"]).one("input")["value"] == "2"


def test_bad_explorations_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="values is empty"):
        show.explore(line, name="slope", values=[], alt="A line.")
    with pytest.raises(ValueError, match="start is 4, which is not among values"):
        show.explore(line, name="slope", values=[1, 2], start=4, alt="A line.")
    with pytest.raises(ValueError, match="1 labels for 2 values"):
        show.explore(line, name="slope", values=[1, 2], labels=["one"], alt="A line.")
    with pytest.raises(TypeError, match=r"returned NoneType, .* 'return fig'"):
        show.explore(lambda v: None, name="slope", values=[1], alt="A line.")  # type: ignore[arg-type, return-value]


CELL = """
import matplotlib.pyplot as plt, numpy as np
from abplib import show
show.use_book_style()
def draw(slope):
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.plot([0, slope])
    return fig
show.explore(draw, name="slope", values=[1.0, 2.0], alt="A line.")
show.strip(np.zeros((1, 3, 8, 8)), alt="Grey.")
show.player(np.zeros((1, 3, 8, 8)), alt="Grey.")
show.figure(draw(1), alt="A line.")
show.table({"model": ["a"], "error": [0.5]}, "Errors")
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.mark.slow
@pytest.mark.parametrize("static", [True, False])
def test_outputs_of_a_real_kernel(monkeypatch: pytest.MonkeyPatch, static: bool) -> None:
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipywidgets")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.delenv("ABPLIB_STATIC", raising=False)
    if static:
        monkeypatch.setenv("ABPLIB_STATIC", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [set(o.get("data", {o.output_type: 0})) for o in notebook.cells[0].outputs]
    plain = "text/plain"
    expected: list[set[str]] = [
        {"text/html", "image/png", plain},
        {WIDGET, plain},
        {"image/png", plain},
        {"text/html", plain},
        {"image/png", plain},
        {"text/html", plain},
    ]
    assert outputs == [kinds for kinds in expected if not (static and WIDGET in kinds)]


# ---- table ----------------------------------------------------------------------------------


def test_table_has_scopes_and_formats_numbers() -> None:
    rows = [
        {"model": "A<1>", "PSNR (dB)": 23.456, "steps": 12000},
        {"model": "B", "PSNR (dB)": None, "steps": 3},
    ]
    bundle = _table.table_bundle(rows, "Recovery & cost")
    markup = bundle.data["text/html"]
    page = Page(markup)
    assert [th["scope"] for th in page.all("th")] == ["col"] * 3 + ["row"] * 2
    assert page.one("div", "abplib-table")["aria-labelledby"] == page.one("caption")["id"]
    assert "Recovery &amp; cost</caption>" in markup
    assert "A&lt;1&gt;" in markup
    assert re.findall(r"<td[^>]*>([^<]*)</td>", markup) == ["23.5", "12,000", "–", "3"]
    assert bundle.data["text/plain"].splitlines() == [
        "Recovery & cost",
        "model  PSNR (dB)   steps",
        "A<1>        23.5  12,000",
        "B              –       3",
    ]


def test_table_reads_frames_and_columns_alike() -> None:
    columns = {"model": ["A", "B"], "error": [0.1, 0.25]}
    rows = [{"model": "A", "error": 0.1}, {"model": "B", "error": 0.25}]
    first = _table.table_bundle(columns, "Errors").data
    assert _table.table_bundle(rows, "Errors").data == first
    assert _table.table_bundle(pd.DataFrame(columns), "Errors").data == first


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.500"),
        (123.0, "123"),
        (-1234.5, "-1,234"),
        (1.5e-6, "1.50e-06"),
        (float("nan"), "–"),
        (np.float32(2.0), "2.00"),
        (np.int64(5), "5"),
        (True, "True"),
        ("x", "x"),
    ],
)
def test_table_numbers(value: object, text: str) -> None:
    assert _table._text(value, 3) == text


def test_bad_tables_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="no rows to show"):
        show.table([], "Errors")
    with pytest.raises(ValueError, match="columns have lengths"):
        show.table({"a": [1], "b": [1, 2]}, "Errors")
    with pytest.raises(ValueError, match="caption is blank"):
        show.table([{"a": 1}], "")
