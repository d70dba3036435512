"""The report in a browser, headless: what its script does, and what it must not do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import report_worlds
from gatewright import report, tasks

selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
By = pytest.importorskip("selenium.webdriver.common.by").By
Wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
WIDE, PHONE = (1440, 1000), (390, 844)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="needs chromium and chromedriver"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = selenium.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = selenium.Chrome(options=options, service=selenium.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    known: dict[str, Path] = {}

    def write(name: str) -> Path:
        if name not in known:
            folder = report_worlds.WORLDS[name]().write(tmp_path_factory.mktemp("run") / name)
            known[name] = report.write(folder)
        return known[name]

    return write


class Opened:
    """A page at a size and in a light, with what was logged since it was opened."""

    def __init__(self, browser: Any, path: Path, size: tuple[int, int], dark: bool) -> None:
        self.browser = browser
        self.path = path
        width, height = size
        metrics = {
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": width < 600,
        }
        light = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [light]})
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        browser.get(path.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.browser.find_elements(By.CSS_SELECTOR, selector))

    def click(self, element: Any) -> None:
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()

    def until(self, script: str) -> Any:
        return Wait(self.browser, 20).until(lambda _: self.run(f"return {script}"))

    def draw_all(self) -> None:
        """Scroll by every picture, which are drawn when they come near."""
        for place in self.all(".plot"):
            self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", place)
            self.until(f"document.querySelector('#{place.get_attribute('id')} .main-svg') !== null")

    def names(self, plot: str) -> list[str]:
        """The traces of a picture."""
        return list(
            self.run(f"return document.getElementById('{plot}').data.map((one) => one.name)")
        )

    def data(self, plot: str) -> str:
        return str(self.run(f"return JSON.stringify(document.getElementById('{plot}').data)"))

    def light(self) -> str:
        return str(self.run("return getComputedStyle(document.body).backgroundColor"))

    def check_logs(self) -> None:
        """Nothing went wrong, and nothing was asked of any other place."""
        assert self.browser.get_log("browser") == []
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                address = message["params"]["request"]["url"]
                assert address.startswith(("data:", "blob:", self.path.as_uri())), address


@pytest.fixture
def opened(browser: Any, written: Callable[[str], Path]) -> Callable[..., Opened]:
    def open_page(name: str, size: tuple[int, int] = WIDE, dark: bool = False) -> Opened:
        page = Opened(browser, written(name), size, dark)
        page.run("try { localStorage.clear(); } catch (error) {}")
        page.browser.refresh()
        return page

    return open_page


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("name", report_worlds.WORLDS)
def test_everything_is_drawn_quietly_and_fits(
    opened: Callable[..., Opened], name: str, size: tuple[int, int]
) -> None:
    page = opened(name, size, dark=size is PHONE)
    page.draw_all()
    root = "document.documentElement"
    assert page.run(f"return {root}.scrollWidth - {root}.clientWidth") == 0
    assert page.run("return innerWidth") == size[0]
    page.check_logs()


@pytest.mark.parametrize("name", report_worlds.WORLDS)
def test_the_leaderboard_fits_a_laptop_and_keeps_names_in_sight(
    opened: Callable[..., Opened], name: str
) -> None:
    box = "document.querySelector('.scrolled:has(.board)')"
    page = opened(name, (1100, 900))
    assert page.run(f"return {box}.scrollWidth - {box}.clientWidth") == 0
    page = opened(name, (800, 900))
    left = "getBoundingClientRect().left"
    page.run(f"{box}.scrollLeft = 10000")
    moved = page.run(f"return {box}.querySelector('tbody th').{left} - {box}.{left}")
    assert moved == pytest.approx(0, abs=1)


def test_a_page_without_views_is_drawn_quietly_too(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.get("classify"), "views", ())
    page = Opened(browser, report.write(report_worlds.classes().write(tmp_path)), WIDE, dark=False)
    page.draw_all()
    assert {place.get_attribute("id") for place in page.all(".plot")} == {
        "learning-plot",
        "gradient-plot",
    }
    page.check_logs()


def test_names_are_no_markup_in_pictures_either(opened: Callable[..., Opened]) -> None:
    page = opened("spiteful")
    page.draw_all()
    assert page.all("img") == []
    titles = [one.get_attribute("textContent") for one in page.all("#forecast-plot .ytitle")]
    assert titles == [report_worlds.SPITEFUL[0]]
    words = [one.get_attribute("textContent") for one in page.all("#forecast-legend button")]
    assert set(report_worlds.SPITEFUL[:2]) <= set(words)
    page.check_logs()


@pytest.mark.parametrize("dark", [False, True])
def test_light_follows_the_system_then_the_switch_and_is_remembered(
    opened: Callable[..., Opened], dark: bool
) -> None:
    page = opened("one_target", dark=dark)
    page.draw_all()
    first, curve = page.light(), page.data("forecast-plot")
    page.click(page.find("#theme"))
    assert page.light() != first
    assert page.data("forecast-plot") != curve  # its colours follow
    switched = page.light()

    def remembered(_: Any) -> bool:
        page.browser.refresh()
        return page.light() == switched

    # The browser writes its memory down a moment later, and a page may be loaded before that.
    Wait(page.browser, 20).until(remembered)
    page.click(page.find("#theme"))
    assert page.light() == first
    page.check_logs()


def test_tables_sort_both_ways_and_keep_failures_last(opened: Callable[..., Opened]) -> None:
    page = opened("one_target")

    def order() -> list[str]:
        return [one.text for one in page.all(".board tbody .title")]

    first = order()
    head = page.find(".board thead th:nth-child(3)")
    button = head.find_element(By.TAG_NAME, "button")
    page.click(button)
    assert head.get_attribute("aria-sort") == "ascending"
    assert order() == first
    page.click(button)
    assert head.get_attribute("aria-sort") == "descending"
    assert order() == [*first[-2::-1], first[-1]]
    page.click(page.find(".board thead th:nth-child(2) button"))
    assert order()[:-1] == sorted(first[:-1])
    assert len(page.all(".board thead [aria-sort]")) == 1


def test_origins_and_targets_are_chosen(opened: Callable[..., Opened]) -> None:
    page = opened("spiteful")
    page.draw_all()
    origin, target = page.all("#forecast-controls select")
    seen = {page.data("forecast-plot")}
    for place in (origin, target):
        page.click(place.find_elements(By.TAG_NAME, "option")[1])
        seen.add(page.data("forecast-plot"))
    assert len(seen) == 3
    page.check_logs()


@pytest.mark.parametrize(
    ("name", "kind"), [("one_target", "forecast"), ("numbers", "scatter"), ("one_target", "steps")]
)
def test_legend_takes_away_and_brings_back(
    opened: Callable[..., Opened], name: str, kind: str
) -> None:
    page = opened(name)
    page.draw_all()
    before = page.names(f"{kind}-plot")
    title = page.find(f"#{kind}-legend button[aria-pressed=true]").text
    assert title in before
    page.click(page.find(f"#{kind}-legend button[aria-pressed=true]"))
    assert title not in page.names(f"{kind}-plot")
    # The keyboard stays where it was.
    focused = page.browser.switch_to.active_element
    assert focused.text == title
    focused.send_keys(" ")
    assert page.names(f"{kind}-plot") == before


def test_learning_shows_a_candidates_settings(opened: Callable[..., Opened]) -> None:
    page = opened("one_target")
    page.draw_all()
    options = page.all("#learning-controls option")
    page.click(options[1])
    words = [one.text for one in page.all("#learning-legend button")]
    assert words == ["setting 1, chosen", "setting 2"]
    assert "clipped" in page.find("#learning-note").text
    page.click(page.all("#learning-controls .choice button")[1])
    assert page.run("return document.getElementById('learning-plot').layout.yaxis.type") == "log"
    page.check_logs()


def test_confusion_of_another_candidate_and_as_shares(opened: Callable[..., Opened]) -> None:
    page = opened("classes")

    def shown() -> list[str]:
        return [one.text for one in page.all(".confusion h3") if one.is_displayed()]

    assert shown() == ["logistic regression"]
    page.click(page.find("#confusion-controls option"))
    assert shown() == [page.find("#confusion-controls option").text]
    cell = next(one for one in page.all(".matrix td.right") if one.is_displayed())
    assert "%" not in cell.text
    page.click(page.all("#confusion-controls .choice button")[1])
    assert cell.text.endswith("%")


def test_command_is_copied(opened: Callable[..., Opened]) -> None:
    page = opened("spiteful")
    page.run(
        "window.copied = []; const keep = async (text) => { window.copied.push(text); };"
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: keep}});"
    )
    page.click(page.find("#copy"))
    page.until("document.getElementById('copy').textContent === 'Copied'")
    assert page.run("return window.copied") == [report_worlds.spiteful().command]


def test_page_reads_without_its_script(
    browser: Any, written: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(written("classes").as_uri())
        text = browser.find_element(By.TAG_NAME, "main").text
        boxes = browser.find_elements(By.CSS_SELECTOR, ".plot, .scripted-only")
        hidden = [not box.is_displayed() for box in boxes]
        matrices = [one.is_displayed() for one in browser.find_elements(By.CLASS_NAME, "matrix")]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "No network was shown to be better" in text
    assert "logistic regression" in text
    assert "switched off" in text
    assert all(hidden)
    assert len(matrices) == 6
    assert all(matrices)
