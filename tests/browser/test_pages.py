"""Every built page, as a reader sees it: both colour schemes, desktop and phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.built import pages

axe_package = pytest.importorskip("axe_playwright_python", reason="axe is not installed")

AXE = (Path(axe_package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# index.html only leads to the first chapter. Without any page one test says that it skips.
PAGES = [name for name in pages() if name != "index.html"] or ["index.html"]
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
UNNAMED_PICTURES = """
[...document.images].filter(i => !i.closest('[role=img]'))
  .filter(i => !i.alt.trim() || /_images|_static/.test(i.alt) || !i.naturalWidth)
  .map(i => i.outerHTML.slice(0, 120))
"""
MATHS_IS_SET = """
() => document.querySelectorAll('mjx-container').length
  >= document.querySelectorAll('span.math, div.math').length
"""
BROKEN = """
<h1>A</h1><img src="missing.png"><img src="http://localhost:1/x.png">
<p style="width: 3000px; color: #ccc; background: #fff">faint</p>
<script>console.error("no")</script>
"""


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> dict[str, int]:
    return SIZES[request.param]


@pytest.fixture(params=["light", "dark"])
def context(request: pytest.FixtureRequest, chromium: Any, size: dict[str, int]) -> Iterator[Any]:
    context = chromium.new_context(color_scheme=request.param, viewport=size)
    yield context
    context.close()


def watch(page: Any, site: str) -> list[str]:
    """Return a list that fills with whatever goes wrong on the page."""
    bad: list[str] = []
    page.on("console", lambda m: bad.append(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: bad.append(f"script: {error}"))
    page.on("requestfailed", lambda request: bad.append(f"failed: {request.url[:100]}"))
    page.on("response", lambda r: bad.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    inside = (site, "data:", "blob:")
    page.on(
        "request",
        lambda r: None if r.url.startswith(inside) else bad.append(f"another host: {r.url}"),
    )
    return bad


@pytest.mark.parametrize("name", PAGES)
def test_page(context: Any, site: str, name: str) -> None:
    page = context.new_page()
    bad = watch(page, site)
    page.goto(site + name)
    page.wait_for_load_state("networkidle")
    page.wait_for_function(MATHS_IS_SET, timeout=20_000)
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, "a formula does not parse"
    assert page.evaluate(UNNAMED_PICTURES) == []
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"the page is {wide} pixels wider than the window"
    assert bad == []
    assert accessibility(page) == []


def accessibility(page: Any) -> list[str]:
    """Return what axe-core objects to."""
    page.wait_for_timeout(600)  # book.js has marked the boxes that scroll, half a second after load
    page.evaluate(AXE)
    result = page.evaluate("(rules) => axe.run(document, {runOnly: rules})", AXE_RULES)
    assert len(result["passes"]) > 3, "axe looked at nothing"
    return [
        f"{v['id']} ({len(v['nodes'])}): {v['help']}: {v['nodes'][0]['html'][:160]}"
        for v in result["violations"]
    ]


def test_the_checks_see_what_is_wrong(context: Any, site: str) -> None:
    page = context.new_page()
    bad = watch(page, site)
    page.route("**/broken.html", lambda route: route.fulfill(body=BROKEN, content_type="text/html"))
    page.goto(site + "broken.html")
    page.wait_for_load_state("networkidle")
    assert len(page.evaluate(UNNAMED_PICTURES)) == 2
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") > 0
    for words in ("console: no", "another host: http://localhost:1/", "404: "):
        assert any(words in line for line in bad), (words, bad)
    assert any("color-contrast" in line for line in accessibility(page))
