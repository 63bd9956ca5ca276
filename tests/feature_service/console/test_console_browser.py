"""The console in a real browser: headless Chromium in front of a running service.

With `ONAIR_SCREENSHOTS` set to a folder, the pages are kept there as pictures.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from feature_service.features.events import EventKind
from serving.versions import versions
from tests.feature_service.console.showcase import USER, Showcase, event, showcase

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PATIENCE_MS = 30_000

PAGES = {
    "explain": f"/?user={USER}&k=6",
    "what-if": f"/what-if?user={USER}&k=8&w.enter=1&w.long_watch=0&w.watch_time=0&w.like=0&w.gift=9&w.follow=2",
    "live": "/live",
    "models": "/models",
    "status": "/status",
}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the PATH, received none")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Showcase]:
    """The platform, its service and console."""
    with showcase(tmp_path_factory.mktemp("showcase")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visitor:
    """Opens pages, and takes note of what a browser complains of and of what it asks elsewhere."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(url) else self.complaints.append(asked.url))

    def open(self, path: str) -> Page:
        """Opens a page of the console."""
        self.page.goto(self.url + path, wait_until="load")
        return self.page


@pytest.fixture
def visitor(browser: Browser, stack: Showcase) -> Iterator[Visitor]:
    """A visitor in a window of 1280 px; complains are failures."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    visitor = Visitor(context.new_page(), stack.url)
    yield visitor
    context.close()
    assert visitor.complaints == []


@pytest.mark.skipif(
    "ONAIR_SCREENSHOTS" not in os.environ, reason="pictures are taken when ONAIR_SCREENSHOTS names a folder"
)
def test_pictures_of_every_page(browser: Browser, stack: Showcase) -> None:
    folder = Path(os.environ["ONAIR_SCREENSHOTS"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in PAGES.items():
        _picture(browser, stack.url + path, folder / f"{name}.png")
    _picture(browser, f"{stack.url}/live", folder / "live-dark-zh.png", scheme="dark", locale="zh-CN")
    _picture(browser, stack.url + PAGES["explain"], folder / "explain-small.png", width=375)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_loads_without_a_complaint(visitor: Visitor, name: str) -> None:
    page = visitor.open(PAGES[name])
    expect(page.locator("nav a[aria-current=page]")).to_have_count(1)
    expect(page.locator(".problem")).to_have_count(0)


@pytest.mark.parametrize("width", [375, 768, 1440])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_its_window(visitor: Visitor, name: str, width: int) -> None:
    visitor.page.set_viewport_size({"width": width, "height": 800})
    page = visitor.open(PAGES[name])
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_slider_that_is_moved_changes_the_slate(visitor: Visitor) -> None:
    page = visitor.open(f"/what-if?user={USER}&k=8")
    expect(page.locator(".summary")).to_have_text("Nothing changes.")
    titles = page.locator("section[aria-labelledby=then] h3")
    before = titles.all_inner_texts()
    gift = page.locator("input[name='w.gift']")
    gift.focus()
    page.keyboard.press("End")
    page.wait_for_url(re.compile("w.gift=12"))
    expect(page.locator("section[aria-labelledby=then] .move:not(:text('same place'))").first).to_be_visible()
    assert page.locator("section[aria-labelledby=then] h3").all_inner_texts() != before
    assert page.locator("section[aria-labelledby=now] h3").all_inner_texts() == before


def test_another_ranker_can_be_chosen(visitor: Visitor) -> None:
    page = visitor.open(f"/what-if?user={USER}&k=8")
    page.select_option("select[name=ranker]", "esmm:1")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("section[aria-labelledby=then] .note")).to_have_text("ranker: esmm v1")
    expect(page.locator("section[aria-labelledby=now] .note")).to_have_text("ranker: mmoe v2")


def test_rooms_follow_without_a_reload(visitor: Visitor, stack: Showcase) -> None:
    page = visitor.open("/live?order=fullest")
    expect(page.locator(".follows .says")).to_have_text("updates by itself")
    stack.report(event("crowd", EventKind.ROOM_UPDATED, stack.clock_ms[0], 9, viewers=77_777))
    expect(page.locator("table.rooms tbody tr").first).to_contain_text("77777")


def test_a_hostile_title_is_shown_as_text(visitor: Visitor, stack: Showcase) -> None:
    title = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>{{ 7 * 7 }}"
    stack.report(event("hostile", EventKind.ROOM_UPDATED, stack.clock_ms[0], 8, title=title, viewers=99_999))
    try:
        for path in ("/live?order=fullest", f"/?user={USER}&k=12", f"/what-if?user={USER}&k=12"):
            page = visitor.open(path)
            expect(page.get_by_text(title).first).to_be_visible()
            assert "owned" not in page.title()
        page = visitor.open("/live?order=fullest")
        page.evaluate("document.querySelector('table.rooms tbody').textContent = 'waits'")
        expect(page.get_by_text(title).first).to_be_visible()  # The same again, put in by the script.
        assert "owned" not in page.title()
    finally:
        stack.report(event("tame", EventKind.ROOM_UPDATED, stack.clock_ms[0] + 1, 8, title="小南学做川菜", viewers=266))


def test_a_rollback_is_confirmed_and_then_serves(visitor: Visitor, stack: Showcase) -> None:
    page = visitor.open("/models")
    page.get_by_role("link", name="Roll back to version 1").last.click()
    expect(page.get_by_role("heading")).to_have_text("Let mmoe serve the content of version 1 again?")
    assert 5 not in versions(stack.models / "mmoe")
    page.get_by_role("button", name="Roll back").click()
    expect(page.locator(".done")).to_contain_text("mmoe: version 5 has the old content")
    assert 5 in versions(stack.models / "mmoe")
    expect(page.locator("section.model", has_text="mmoe").locator("details.history")).to_contain_text(
        "rolled back as version 5"
    )
    stack.server.models["mmoe"].versions.add(5)  # The model server has loaded it.
    for _ in range(100):
        if page.locator("section.model", has_text="mmoe").get_by_text("serves: v5").count():
            break
        page.reload()
    expect(page.locator("section.model", has_text="mmoe").locator(".heading")).to_contain_text("serves: v5")


def test_pages_speak_chinese_to_who_asks_for_it(browser: Browser, stack: Showcase) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(f"{stack.url}/live")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("h2#rooms")).to_contain_text("正在直播的房间")
    page.get_by_role("link", name="English").click()
    expect(page.locator("h2#rooms")).to_contain_text("Rooms on air")
    page.goto(f"{stack.url}/status")
    expect(page.locator("h1")).to_have_text("Health")
    context.close()


def test_the_keyboard_alone_reaches_the_answer(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.keyboard.type(USER)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(USER)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"


def _picture(
    browser: Browser, url: str, path: Path, *, scheme: str = "light", locale: str = "en-GB", width: int = 1280
) -> None:
    height = 900 if width > 600 else 812
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, locale=locale)  # pyright: ignore[reportArgumentType]
    page = context.new_page()
    page.goto(url, wait_until="load")
    page.screenshot(path=path)
    context.close()
