"""The report in a real browser: it draws, it can be chosen in by dragging, and hostile names do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_dataset import BLURRED, COUNT, HOSTILE, report_dataset, report_samples

from phq.view.report.reporting import report

KEPT = COUNT - BLURRED
PLOT = "#density .nsewdrag >> nth=0"
READY = 60_000
"""Milliseconds that drawing may take on a busy machine."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(report_dataset(tmp_path_factory.mktemp("report") / "dataset")).page


@pytest.fixture
def opened_report(browser: Any, place: Path) -> Iterator[tuple[Any, list[str]]]:
    """The page, and what it complained about or asked the network for."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    context.set_default_timeout(READY)
    page, faults = context.new_page(), []
    page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: faults.append(request.url) if request.url.startswith("http") else None)
    page.goto(place.as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=READY)
    yield page, faults
    context.close()


def drag(page: Any, yaw: tuple[float, float], pitch: tuple[float, float]) -> None:
    """Drag over the density from one corner to the other."""
    page.locator(PLOT).scroll_into_view_if_needed()
    box = page.locator(PLOT).bounding_box()
    corners = [
        (box["x"] + box["width"] * (x + 180) / 360, box["y"] + box["height"] * (60 - y) / 120)
        for x, y in zip(yaw, pitch, strict=True)
    ]
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=6)
    page.mouse.up()


def until(page: Any, condition: str) -> None:
    """Wait for it; Playwright's own wait_for_function needs eval, which the page's policy forbids."""
    for _ in range(READY // 50):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def shown(page: Any) -> int:
    """Kept samples that are chosen, −1 without a choice."""
    chosen = "chosenRows().filter((isChosen, row) => isChosen && !reasonOf[row]).length"
    return int(page.evaluate(f"boxes.density ? {chosen} : -1"))


def bars(page: Any) -> list[float]:
    """Heights of the histogram of blur among the chosen."""
    return list(page.evaluate(
        "Array.from(histograms.element.data[3 * histograms.varied.findIndex((s) => s.name === 'blur') + 1].y)"
    ))  # fmt: skip


def test_it_draws_everything_without_a_complaint_or_the_network(opened_report: tuple[Any, list[str]]) -> None:
    page, faults = opened_report
    assert page.locator("#facts .fact").count() == 10
    for plot in ("density", "head", "histograms"):
        assert page.locator(f"#{plot} .main-svg").count() > 0, plot
    assert page.locator("#ring .tile").count() > 12
    assert page.locator("#gallery .card").count() == 42
    broken = "[...document.images].filter((image) => image.complete && !image.naturalWidth).length"
    assert page.evaluate(broken) == 0
    page.click("#more")
    assert page.locator("#gallery .card").count() == KEPT
    assert faults == []


def test_dragging_over_the_density_chooses_and_everything_follows(opened_report: tuple[Any, list[str]]) -> None:
    page, faults = opened_report
    before = bars(page)
    drag(page, (-45, 45), (30, -30))
    until(page, "document.getElementById('chosen').textContent.includes('yaw')")
    inside = [
        sample.row for sample in report_samples()[BLURRED:]
        if abs(sample.row["camera_yaw_deg"]) <= 45 and abs(sample.row["camera_pitch_deg"]) <= 30
    ]  # fmt: skip
    assert 0 < len(inside) < KEPT
    assert abs(shown(page) - len(inside)) <= 3, "a pixel is half a degree"
    until(page, "gallery.element.children.length < 43 && boxes.density")
    yaws = page.evaluate("gallery.sorted().map((sample) => sample.yaw)")
    assert len(yaws) == shown(page)
    assert max(map(abs, yaws)) <= 46
    assert bars(page) != before
    assert sum(bars(page)) == pytest.approx(100)
    page.keyboard.press("Escape")
    assert shown(page) == -1
    assert bars(page) == before
    assert page.locator("#chosen").text_content() == f"{KEPT} samples"
    assert faults == []


def test_both_densities_cut_each_other(opened_report: tuple[Any, list[str]]) -> None:
    page, _ = opened_report
    front = page.evaluate("choose('density', {x: [-60, 60], y: [-60, 60]}), chosenRows().join('')")
    both = page.evaluate("choose('head', {x: [0, 90], y: [-60, 60]}), chosenRows().join('')")
    assert 0 < both.count("1") < front.count("1")
    assert all(a == "1" for a, b in zip(front, both, strict=True) if b == "1")


def test_the_order_of_the_gallery_is_the_one_chosen(opened_report: tuple[Any, list[str]]) -> None:
    page, _ = opened_report
    worst = max(report_samples()[BLURRED:], key=lambda sample: float(sample.row["p_flip"]))
    page.select_option("#order", "flip")
    page.locator("#gallery .card").first.hover()
    assert worst.row["key"] in page.locator("#tip").text_content()
    captions = page.locator("#gallery .card figcaption span:last-child").all_text_contents()
    risks = [float(caption.removesuffix(" %")) for caption in captions]
    assert risks == sorted(risks, reverse=True)


def test_any_score_orders_the_gallery_and_a_reason_fills_it(opened_report: tuple[Any, list[str]]) -> None:
    page, faults = opened_report
    page.select_option("#order", label="blur, high")
    blurs = page.evaluate("gallery.sorted().map((s) => s.values[content.scores.findIndex((x) => x.name === 'blur')])")
    assert blurs == sorted(blurs, reverse=True)
    assert page.locator("#gallery .card figcaption span:last-child").first.text_content() == f"{blurs[0]:.4g}"
    page.select_option("#which", "reason blurred")
    assert page.locator("#gallery .card").count() == BLURRED
    page.select_option("#which", "any")
    assert page.evaluate("gallery.sorted().length") == COUNT
    assert page.evaluate("byId('which').querySelector(\"[value='reason truncated']\").disabled")
    assert faults == []


def test_a_click_or_enter_shows_the_samples_most_like_one(opened_report: tuple[Any, list[str]]) -> None:
    page, faults = opened_report
    page.select_option("#order", "apart")
    apart = page.evaluate("gallery.sorted().map((sample) => sample.apart)")
    assert apart == sorted(apart, reverse=True)
    page.locator("#gallery .card").first.click()
    assert page.evaluate("gallery.like.apart") == apart[0]
    assert page.locator("#gallery .card").count() == 24
    assert page.locator("#chosen").text_content().startswith("most like ")
    page.locator("#gallery .card").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("gallery.like.apart") != apart[0]
    page.keyboard.press("Escape")
    assert page.evaluate("gallery.like") is None
    assert page.locator("#chosen").text_content() == f"{KEPT} samples"
    assert faults == []


def test_the_command_of_the_review_names_the_folder(opened_report: tuple[Any, list[str]], place: Path) -> None:
    page, _ = opened_report
    assert f"phq review '{place.parent}'" in page.locator("#copy").get_attribute("title")


def test_hovering_over_a_dot_shows_its_picture(opened_report: tuple[Any, list[str]]) -> None:
    page, faults = opened_report
    page.locator(PLOT).scroll_into_view_if_needed()
    dot = page.locator("#density .scatterlayer .points path").first.bounding_box()
    page.mouse.move(dot["x"] + dot["width"] / 2 - 30, dot["y"] + dot["height"] / 2)
    page.mouse.move(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2, steps=3)
    page.wait_for_selector("#tip img")
    assert "photos/" in page.locator("#tip .path").text_content()
    assert faults == []


def test_a_hostile_name_is_shown_as_it_is_and_does_nothing(opened_report: tuple[Any, list[str]]) -> None:
    page, faults = opened_report
    page.locator("#reason-rows .card.rejected").first.scroll_into_view_if_needed()
    for number in range(BLURRED):
        page.locator("#reason-rows .card.rejected").nth(number).hover()
        assert "too soft <script>" in page.locator("#tip .why").text_content()
    assert HOSTILE in page.evaluate("content.samples.map((s) => s.source_path)")
    assert HOSTILE in " ".join(page.locator("ul.names").all_text_contents())
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("body script").count() == 3
    assert faults == []


def test_no_script_runs_but_the_reports_own(opened_report: tuple[Any, list[str]]) -> None:
    page, _ = opened_report
    inserted = "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit = 1\">'), window.hit"
    page.evaluate(inserted)
    page.wait_for_timeout(200)
    assert page.evaluate("window.hit") is None


def test_dark_mode_follows_the_system_and_the_button(browser: Any, place: Path) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(place.as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=READY)
    background = "getComputedStyle(document.body).backgroundColor"
    text = "density.element.layout.font.color"
    dark, dark_text = page.evaluate(background), page.evaluate(text)
    page.click("#theme")
    light, light_text = page.evaluate(background), page.evaluate(text)
    assert (dark, dark_text) != (light, light_text)
    assert sum(map(int, dark[4:-1].split(","))) < 150
    assert sum(map(int, light[4:-1].split(","))) > 600
    page.evaluate("prefersDark.addEventListener('change', () => { document.body.dataset.turned = 'yes'; })")
    page.emulate_media(color_scheme="light")
    until(page, "document.body.dataset.turned === 'yes'")  # two changes within a frame would be none to the page
    page.emulate_media(color_scheme="dark")
    until(page, f"{background} === '{dark}'")
    context.close()


def test_the_body_can_be_taken_off(opened_report: tuple[Any, list[str]]) -> None:
    page, _ = opened_report
    drawn = "getComputedStyle(document.querySelector('.tile .drawn')).opacity"
    until(page, f"{drawn} === '1'")
    page.uncheck("#body")
    until(page, f"{drawn} === '0'")
    assert page.evaluate(drawn) == "0"
