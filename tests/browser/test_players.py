"""The players and sliders of the pages, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.built import pages

PLAYERS = pages('class="abp-player"')
SLIDERS = pages('class="abp-slider"')


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page for a reader who prefers reduced motion: nothing plays by itself."""
    context = chromium.new_context(reduced_motion="reduce", viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def open_players(page: Any, address: str, kind: str) -> Any:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    # A player in a folded solution is opened with it.
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    players = page.locator(kind)
    assert players.count() > 0
    return players


def frame(player: Any) -> int:
    return int(player.locator("input[type=range]").input_value())


def look(player: Any) -> bytes:
    """Return what the player shows, as a picture."""
    return bytes(player.locator(".abp-frame").screenshot())


def test_the_book_has_players(site: str) -> None:
    assert PLAYERS


@pytest.mark.parametrize("name", PLAYERS)
def test_player_plays_and_pauses(page: Any, site: str, name: str) -> None:
    for player in open_players(page, site + name, ".abp-player").all():
        button = player.locator("button.abp-play")
        start = frame(player)
        for press in (button.click, lambda b=button: b.press("Space")):
            assert button.inner_text() == "Play"
            press()
            assert button.inner_text() == "Pause"
            page.wait_for_timeout(400)  # at least two frames at 8 a second
            assert frame(player) != start, "it does not move"
            press()
            assert button.inner_text() == "Play"
            start = frame(player)
            page.wait_for_timeout(300)
            assert frame(player) == start, "it does not stand still"


@pytest.mark.parametrize("name", PLAYERS)
def test_player_scrubs(page: Any, site: str, name: str) -> None:
    for player in open_players(page, site + name, ".abp-player").all():
        scrub = player.locator("input.abp-scrub")
        scrub.focus()
        scrub.press("Home")
        first = look(player)
        scrub.press("ArrowRight")
        scrub.press("ArrowRight")
        assert frame(player) == 2
        box = scrub.bounding_box()
        scrub.click(position={"x": box["width"] * 0.6, "y": box["height"] / 2})
        assert frame(player) > 2, "a click on the track does not move it"
        assert look(player) != first, "the picture does not change with the frame"


@pytest.mark.parametrize("name", SLIDERS)
def test_slider(page: Any, site: str, name: str) -> None:
    for slider in open_players(page, site + name, ".abp-slider").all():
        control = slider.locator("input[type=range]").first
        control.focus()
        control.press("Home")
        first = look(slider)
        control.press("End")
        assert look(slider) != first, "the picture does not change"


def test_nothing_moves_by_itself_with_reduced_motion(page: Any, site: str) -> None:
    for name in PLAYERS:
        players = open_players(page, site + name, ".abp-player").all()
        before = [frame(player) for player in players]
        page.wait_for_timeout(500)
        assert [frame(player) for player in players] == before


@pytest.mark.parametrize("name", PLAYERS)
def test_without_scripts_the_first_frame_stands(chromium: Any, site: str, name: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site + name)
    assert page.locator(".abp-player [role=img]").first.get_attribute("aria-label")
    assert page.locator(".abp-player .abp-frame").first.bounding_box()["height"] > 10
    context.close()
