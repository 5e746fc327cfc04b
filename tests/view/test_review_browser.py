"""The review page in a real browser: what people do with it all day."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from review_dataset import HOSTILE, WAIT, Server, review_dataset, start_server

from phq.dataset.marks import Marks
from phq.dataset.marks_log import read_log
from phq.dataset.overlays import write_overlay
from phq.dataset.reader import Dataset

COUNT = 30
FIRST = "[...document.querySelectorAll('.cell')].find((each) => each.ariaPosInSet === '1')"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("page") / "dataset"
    return folder, review_dataset(folder, COUNT, source_path=HOSTILE)


@pytest.fixture
def served(made: tuple[Path, list[str]], tmp_path: Path) -> Iterator[tuple[Server, Path, list[str]]]:
    folder = tmp_path / "dataset"
    shutil.copytree(made[0], folder)
    server = start_server(folder)
    try:
        yield server, folder, made[1]
    finally:
        server.kill()


def _open(browser: Any, server: Server, name: str) -> Any:
    """A person's own browser on the page, past the question for the name."""
    page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
    page.set_default_timeout(WAIT * 1000)
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
    page.goto(server.url)
    page.wait_for_selector("#ask-name[open]")
    page.fill("#name-field", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("#link.on")
    _wait_shown(page, COUNT)
    return page


def _until(page: Any, expression: str, argument: Any = None) -> None:
    """Wait until an expression is true; Playwright's own way needs `eval`, which the page's policy forbids."""
    for _ in range(20 * WAIT):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


def _wait_shown(page: Any, count: int) -> None:
    _until(page, "count => document.querySelector('#shown').textContent.startsWith(`${count} of`)", count)


def _cell(key: str, more: str = "") -> str:
    return f'.cell[data-key="{key}"]{more}'


def test_it_loads_and_shows_pictures_that_are_asked_for_once(browser: Any, served: Any) -> None:
    server, _, keys = served
    page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
    page.set_default_timeout(WAIT * 1000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    assert "token" not in page.url
    seen = "[...document.querySelectorAll('.cell .photo')].filter(each => each.naturalWidth).length"
    _until(page, f"{seen} >= 20")
    page.evaluate("document.querySelector('#grid').scrollTop = 1e6")
    page.wait_for_selector(_cell(keys[-1]))
    page.evaluate("document.querySelector('#grid').scrollTop = 0")
    page.wait_for_selector(_cell(keys[0]))
    pictures = [url for url in asked if "/picture/" in url]
    assert pictures
    assert len(pictures) == len(set(pictures))
    assert all(url.startswith(f"http://127.0.0.1:{server.port}/") for url in asked)
    page.context.close()


def test_marks_by_keyboard_are_in_the_log_and_survive_a_reload(browser: Any, served: Any) -> None:
    server, folder, keys = served
    page = _open(browser, server, "ann")
    for key in ("k", "2", "f", "ArrowRight", " "):
        page.keyboard.press(key)
    _until(page, "document.querySelector('#counts').textContent === '4 marked'")
    assert [(action.keys[0], action.mark, action.reason) for action in read_log(folder)] == [
        (keys[0], "keep", ""), (keys[1], "reject", "review_blur"), (keys[2], "flip", ""), (keys[4], "keep", ""),
    ]  # fmt: skip
    page.wait_for_selector(_cell(keys[1], ".is-reject"))
    page.keyboard.press("u")
    _until(page, "document.querySelector('#counts').textContent === '3 marked'")
    page.reload()
    page.wait_for_selector(_cell(keys[0], ".is-keep"))
    page.wait_for_selector(_cell(keys[1], ".is-reject"))
    page.wait_for_selector(_cell(keys[2], ".is-flip"))
    assert page.locator(".cell.is-keep").count() == 1
    assert not page.faults
    page.context.close()


def test_a_selection_is_marked_and_taken_back_as_one(browser: Any, served: Any) -> None:
    server, folder, keys = served
    page = _open(browser, server, "ann")
    page.click(_cell(keys[1]))
    page.click(_cell(keys[4]), modifiers=["Shift"])
    _until(page, "document.querySelector('#selected').textContent === '4 selected'")
    page.keyboard.press("5")
    page.wait_for_selector(_cell(keys[4], ".is-reject:not(.waiting)"))
    assert [action.keys for action in read_log(folder)] == [tuple(keys[1:5])]
    page.keyboard.press("u")
    _until(page, "document.querySelector('#counts').textContent === '0 marked'")
    assert not Marks(read_log(folder)).keys
    page.context.close()


def test_filters_narrow_the_grid_and_stay_over_a_reload(browser: Any, served: Any) -> None:
    server, _, keys = served
    page = _open(browser, server, "ann")
    page.click(".presets >> text=back")  # yaw 10° × number: 140 to 220
    _wait_shown(page, 9)
    page.reload()
    _wait_shown(page, 9)
    page.click("text=Clear all filters")
    _wait_shown(page, COUNT)
    page.select_option("#add-score", "blur")
    page.fill("[data-score=blur] input >> nth=0", "0.25")
    page.press("[data-score=blur] input >> nth=0", "Enter")
    _wait_shown(page, 5)
    page.wait_for_selector(_cell(keys[-1]))
    page.click("text=Clear all filters")
    page.keyboard.press("k")
    _until(page, "document.querySelector('#counts').textContent === '1 marked'")
    page.select_option("#filter-marked", "unmarked")
    _wait_shown(page, COUNT - 1)
    assert not page.faults
    page.context.close()


def test_two_people_see_each_others_marks(browser: Any, served: Any) -> None:
    server, folder, keys = served
    ann, bob = _open(browser, server, "ann"), _open(browser, server, "bob")
    ann.keyboard.press("1")
    bob.wait_for_selector(_cell(keys[0], ".is-reject"))
    assert bob.text_content(_cell(keys[0], " .others")) == "an"
    bob.keyboard.press("k")
    ann.wait_for_selector(_cell(keys[0], " .others .keep"))
    ann.wait_for_selector(_cell(keys[0], ".is-reject"))  # everybody's own opinion stays
    ann.keyboard.press("u")
    _until(bob, "key => !document.querySelector(`[data-key='${key}'] .others`).children.length", keys[0])
    assert [action.reviewer for action in Marks(read_log(folder)).opinions(keys[0])] == ["bob"]
    ann.context.close()
    bob.context.close()


def test_a_killed_server_takes_no_marks_and_the_page_goes_on_when_it_is_back(browser: Any, served: Any) -> None:
    server, folder, keys = served
    page = _open(browser, server, "ann")
    page.keyboard.press("k")
    page.wait_for_selector(_cell(keys[0], ".is-keep:not(.waiting)"))
    server.kill()
    page.wait_for_selector("#link:not(.on)")
    page.keyboard.press("k")
    _until(page, "document.querySelector('#toast').textContent.startsWith('Not marked')")
    assert page.locator(".cell.is-keep").count() == 1
    again = start_server(folder, server.port)
    try:
        page.wait_for_selector("#link.on")
        page.keyboard.press("k")
        _until(page, "document.querySelector('#counts').textContent === '2 marked'")
        assert Marks(read_log(folder)).keys == sorted(keys[:2])
    finally:
        again.kill()
    page.context.close()


def test_the_model_turns_and_a_hostile_name_is_a_text(browser: Any, served: Any) -> None:
    server, _, keys = served
    page = _open(browser, server, "<b>ann</b>")
    page.keyboard.press("o")
    _until(page, "document.querySelector('.cell .layer').naturalWidth > 0")
    page.keyboard.press("Enter")
    page.wait_for_selector(f'#detail[data-key="{keys[0]}"]')
    first = page.locator("#stage").screenshot()
    page.keyboard.press("]")
    assert page.locator("#stage").screenshot() != first
    assert HOSTILE in page.text_content("#facts")
    page.keyboard.press("1")
    page.wait_for_selector(f'#detail[data-key="{keys[1]}"]')  # the panel follows the cursor
    assert page.text_content("#who") == "<b>ann</b>"
    assert page.title() == "dataset · phq review"
    assert page.locator("#detail script, #detail img, #who b").count() == 0
    assert not page.faults
    page.context.close()


def test_a_wrong_token_shows_nothing(browser: Any, served: Any) -> None:
    page = browser.new_context().new_page()
    answer = page.goto(served[0].url + "x")
    assert answer.status == 403
    assert "Wrong or missing token" in page.content()
    page.context.close()


def test_a_list_that_arrives_late_leaves_the_selection(browser: Any, served: Any) -> None:
    server, _, keys = served
    page = _open(browser, server, "ann")
    page.click(_cell(keys[1]))
    page.click(_cell(keys[4]), modifiers=["Shift"])
    with page.expect_response(lambda response: "/api/choose" in response.url):
        page.click("#who")
        page.keyboard.press("Enter")  # the name again: the list is asked for anew
    page.wait_for_timeout(200)
    assert page.locator("#selected").text_content() == "4 selected"
    assert page.locator(".cell.picked").count() == 4
    page.context.close()


def _lasso_everything(page: Any) -> None:
    """Drag once round the whole map, clockwise."""
    page.wait_for_selector("#map-panel:not([hidden])")
    _until(page, "document.querySelector('#scale').textContent.includes(' to ')")
    box = page.locator("#map").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for step in range(13):
        angle = step * math.pi / 6
        away = 0.49 * box["width"] * math.cos(angle), 0.49 * box["height"] * math.sin(angle)
        page.mouse.move(middle[0] + away[0], middle[1] + away[1])
        if not step:
            page.mouse.down()
    page.mouse.up()
    page.wait_for_selector("text=inside the lasso")


def test_a_lasso_is_tagged_undone_redone_and_linked(browser: Any, served: Any) -> None:
    server, folder, _ = served
    page = _open(browser, server, "ann")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#show-map")
    _lasso_everything(page)
    page.focus("#grid")
    page.keyboard.press("a")
    _until(page, "document.querySelector('#selected').textContent.endsWith(' selected')")
    count = int(page.text_content("#selected").split()[0])
    assert 0 < count <= COUNT
    page.keyboard.press("t")
    page.wait_for_selector("#ask-tag[open]")
    page.keyboard.type("round hat")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-filter=tags] .count")
    assert page.text_content("[data-filter=tags] .count") == str(count)
    assert Marks(read_log(folder)).tag_counts() == {"round hat": count}
    page.focus("#grid")
    page.keyboard.press("Control+z")
    _until(page, "!document.querySelector('[data-filter=tags]')")
    page.keyboard.press("y")
    page.wait_for_selector("[data-filter=tags] .count")
    page.keyboard.press("c")
    _until(page, "document.querySelector('#toast').textContent.startsWith('A link to')")
    link = page.evaluate("navigator.clipboard.readText()")
    assert "token" not in link
    page.go_back()  # before the lasso
    _wait_shown(page, COUNT)
    page.goto(link)  # the same page with another address
    _wait_shown(page, count)
    assert page.locator("text=chosen samples").count() == 1
    assert not page.faults
    page.context.close()


def test_all_by_keyboard_and_spoken(browser: Any, served: Any) -> None:
    server, _, keys = served
    page = _open(browser, server, "ann")
    here = "document.getElementById(document.querySelector('#grid').getAttribute('aria-activedescendant'))"
    assert page.evaluate("document.activeElement.id") == "grid"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{here}.dataset.key") == keys[1]
    page.keyboard.press("x")
    assert page.evaluate(f"{here}.ariaSelected") == "true"
    assert page.evaluate(f"[{here}.role, {here}.ariaPosInSet, {here}.ariaSetSize]") == ["option", "2", str(COUNT)]
    page.keyboard.press("s")
    page.wait_for_selector(f"text=like {keys[1][:8]}")
    _until(page, f"key => {FIRST}.dataset.key === key", keys[1])
    page.keyboard.press("m")
    _until(page, "document.querySelector('#scale').textContent.includes(' to ')")
    page.focus("#map")
    for key in ("l", "ArrowRight", "ArrowRight", "l", "ArrowDown", "ArrowLeft", "l", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("text=inside the lasso")
    page.focus("#grid")
    page.keyboard.press("k")
    _until(page, "document.querySelector('#counts').textContent === '1 marked'")
    assert "marked keep" in page.evaluate("document.querySelector('.cell.is-keep').ariaLabel")
    unnamed = page.evaluate("""[...document.querySelectorAll("button, input, select, canvas[tabindex]")].filter(
        (each) => !(each.ariaLabel || each.textContent.trim() || each.labels?.length)).map((each) => each.outerHTML)""")
    assert unnamed == []
    assert not page.faults
    page.context.close()


def test_two_revisions_stand_side_by_side(browser: Any, served: Any) -> None:
    server, folder, keys = served
    server.stop()
    rows = [{"key": keys[7], "camera_yaw_deg": -110.0}]
    write_overlay(folder, "v2", rows, ["camera_yaw_deg"], {"command": "annotate"})
    assert Dataset(folder)[7].row["camera_yaw_deg"] == -110
    again = start_server(folder, server.port)
    try:
        page = _open(browser, again, "ann")
        page.select_option("#compare-left", "none")
        _until(page, "document.querySelector('.cell .second')?.naturalWidth > 0")
        _until(page, f"key => {FIRST}.dataset.key === key", keys[7])
        assert page.text_content(_cell(keys[7], " .left")) == "70° → −110°"
        assert page.locator(_cell(keys[7], " img[src*='revision=none']")).count() == 1
        page.click(_cell(keys[7]))
        page.keyboard.press("Enter")
        page.wait_for_selector("text=70 → -110")
        page.select_option("#compare-left", "-")
        _until(page, "!document.body.classList.contains('comparing')")
        assert not page.faults
        page.context.close()
    finally:
        again.kill()


@pytest.mark.parametrize("width", [400, 900])
def test_a_narrow_window_holds_the_whole_page(browser: Any, served: Any, width: int) -> None:
    server, _, _ = served
    page = _open(browser, server, "ann")
    page.set_viewport_size({"width": width, "height": 800})
    assert page.locator("#filters").is_hidden()
    assert page.locator("#grid").bounding_box()["width"] == width
    page.click("#show-filters")
    assert page.locator("#filter-marked").is_visible()
    page.click("#show-filters")
    page.click("#show-map")
    page.wait_for_selector("#map-panel:not([hidden])")
    outside = page.evaluate("""[...document.querySelectorAll("header > *, #map-panel, #grid")].filter((each) => {
        const box = each.getBoundingClientRect();
        return box.width && (box.right > innerWidth + 1 || box.left < -1);
    }).map((each) => each.id)""")
    assert outside == []
    page.context.close()
