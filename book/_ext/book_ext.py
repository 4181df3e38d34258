"""The book's own Sphinx extension: offline mathematics, figures, a description of each page."""

from __future__ import annotations

import html
import importlib.util
import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.core.render import NbElementRenderer, create_figure_context
from myst_nb.sphinx_ import SphinxNbRenderer
from myst_parser.mdit_to_docutils.base import token_line
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MATHJAX_PACKAGE = "sphinx-mathjax-offline"  # with hyphens: found by its name, not imported
# Of the 24 MB that the package carries, a page asks for these 1.7 MB alone.
MATHJAX = ("tex-chtml-full.js", "output/chtml/fonts/woff-v2")
DESCRIPTION_LENGTH = 155  # characters that search engines show


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Put MathJax beside the pages, out of the installed package."""
    if exception is not None or app.builder.format != "html":
        return
    package = importlib.util.find_spec(MATHJAX_PACKAGE)
    if package is None or package.origin is None:
        raise ExtensionError(f"{MATHJAX_PACKAGE} is not installed: run `make setup`")
    bundle = Path(package.origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in MATHJAX:
        source = bundle / name
        if source.is_dir():
            shutil.copytree(source, target / name, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def add_description(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Describe the page by its first real paragraph, for search engines and link previews."""
    if doctree is None or 'name="description"' in context.get("metatags", ""):
        return
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) < 40 or "Colab" in text:
            continue
        if len(text) > DESCRIPTION_LENGTH:
            text = text[:DESCRIPTION_LENGTH].rsplit(" ", 1)[0] + " …"
        tag = f'\n<meta name="description" content="{html.escape(text, quote=True)}" />'
        context["metatags"] = context.get("metatags", "") + tag
        return


def show_at_size() -> None:
    """Give a picture the width and the alternative text of its output, where the cell has none.

    myst-nb reads both from the cell's metadata alone; a picture of double resolution says its width
    in the output's metadata.
    """
    original = NbElementRenderer.render_image

    def render_image(self: NbElementRenderer, data: Any) -> list[nodes.Element]:
        rendered = original(self, data)
        settings = data.output_metadata.get(data.mime_type, {})
        for image in [node for top in rendered for node in top.findall(nodes.image)]:
            if "width" in settings and "width" not in image:
                image["width"] = str(settings["width"])
            if "alt" in settings and "alt" not in image:
                image["alt"] = settings["alt"]
        return rendered

    NbElementRenderer.render_image = render_image  # type: ignore[method-assign]


def is_media(output: Any) -> bool:
    """Tell a picture or a player from printed text and tables."""
    data = output.get("data", {})
    return any(kind.startswith("image/") for kind in data) or 'class="abp-' in str(
        data.get("text/html", "")
    )


def share_figure() -> None:
    """Put all pictures and players of one cell into one figure, with one caption and one label.

    myst-nb wraps each output in a figure of its own, and so defines the label twice.
    """
    original = SphinxNbRenderer._render_nb_cell_code_outputs

    def render(self: SphinxNbRenderer, token: Any, outputs: list[Any]) -> None:
        metadata = token.meta["metadata"]
        options = metadata.get("mystnb", {}).get("figure")
        first = next((i for i, output in enumerate(outputs) if is_media(output)), None)
        if not options or first is None:
            original(self, token, outputs)
            return
        inner = {key: value for key, value in metadata["mystnb"].items() if key != "figure"}
        token.meta["metadata"] = {**metadata, "mystnb": inner}
        original(self, token, outputs[:first])
        with create_figure_context(self, options, token_line(token, 0)):
            original(self, token, [output for output in outputs[first:] if is_media(output)])
        original(self, token, [output for output in outputs[first:] if not is_media(output)])
        token.meta["metadata"] = metadata

    SphinxNbRenderer._render_nb_cell_code_outputs = render  # type: ignore[method-assign]


def plain_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Let docstrings be plain text: no bar or star in them is reStructuredText, `x` is code."""
    in_example = False
    for index, line in enumerate(lines):
        in_example = line.lstrip().startswith(">>>") or (in_example and bool(line.strip()))
        if in_example:
            continue
        parts = re.split(r"(`+[^`]+`+)", line)
        for at, part in enumerate(parts):
            if part.startswith("`"):
                parts[at] = f"``{part.strip('`')}``"
            else:
                bullet = re.match(r"\s*\* ", part) if at == 0 else None
                head = bullet.group() if bullet else ""
                parts[at] = head + re.sub(r"([|*]|_\b)", r"\\\1", part[len(head) :])
        lines[index] = "".join(parts)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    show_at_size()
    share_figure()
    app.connect("autodoc-process-docstring", plain_docstring, priority=400)  # before napoleon
    app.connect("html-page-context", add_description)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}
