"""The search page in a real browser: Debian's chromium, driven by Selenium. Skips, with the reason, where it is not."""

import base64
import csv
import io
import json
import shutil
import threading
import time
import urllib.request

import pytest
from PIL import Image

pytest.importorskip("uvicorn", reason="the extra web is not installed")
pytest.importorskip("selenium", reason="selenium is not installed")

import uvicorn
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from drsl.features.layout import Layout
from drsl.search.web.app import make_app
from drsl.search.web.listen import listen
from drsl.search.web.service import Service


@pytest.fixture(scope="module")
def address(driver, fitted_project, tmp_path_factory, mean_color):
    """A server in a thread; its address."""
    root = tmp_path_factory.mktemp("served") / "project"
    shutil.copytree(fitted_project, root)
    with pytest.MonkeyPatch.context() as patch, listen("127.0.0.1", 0) as socket:
        patch.setattr("drsl.extract.image_encoder.image_network", mean_color)
        app = make_app(Service(Layout(root, "squares"), "drsl-c", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        server.should_exit = True
        thread.join()


class Page:
    """The page as a user sees it."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address

    def open(self, path="/"):
        self.driver.get(self.address + path)
        return self

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def until(self, condition, what):
        return WebDriverWait(self.driver, 20, 0.05).until(lambda _: condition(), f"{what}; {self.text('#alert')!r}")

    def text(self, selector):
        """The text that is shown; asked for in one go, as an answer may replace elements at any time."""
        return self.driver.execute_script("return document.querySelector(arguments[0])?.innerText || ''", selector)

    def title(self, word):
        self.until(lambda: word in self.text("#title") and not self.one("#found").get_attribute("aria-busy"), word)
        return self

    def alert(self, word):
        self.until(lambda: word in self.text("#alert"), word)
        return self

    def ask(self, words):
        box = self.until(lambda: next((each for each in self.all("#words") if each.is_displayed()), None), "the form")
        box.clear()
        box.send_keys(words, Keys.ENTER)
        return self

    def choose(self, name, value):
        self.one(f"#{name} option[value='{value}']").click()

    def upload(self, path):
        self.until(lambda: self.one("#form").is_displayed(), "the form")
        self.one("input[name=find][value=text]").click()
        self.one("#picture").send_keys(str(path))
        return self

    def ids(self):
        code = "return [...document.querySelectorAll('#hits li')].map((each) => each.dataset.id)"
        return self.driver.execute_script(code)

    def errors(self):
        """What the browser's console has told since the last call: failed requests, what the policy held back."""
        return [each["message"] for each in self.driver.get_log("browser") if each["level"] in ("SEVERE", "WARNING")]


@pytest.fixture
def page(driver, address):
    found = Page(driver, address)
    found.errors()
    yield found.open()
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (90, 30), (225, 35, 35)).save(tmp_path / "my rose.png")
    return tmp_path / "my rose.png"


def _answer(address, query):
    with urllib.request.urlopen(f"{address}/api/search?{query}") as response:
        return json.load(response)


def test_words(page):
    page.ask("deep blue sea").title("Pictures for “deep blue sea”")
    expected = _answer(page.address, "words=deep+blue+sea")
    assert page.ids() == [hit["id"] for hit in expected["hits"]]
    first = page.text("#hits li")
    assert expected["hits"][0]["text"] in first
    assert "right: blue" in first
    assert f"score {expected['hits'][0]['score']:.3f}" in first
    page.until(
        lambda: page.driver.execute_script("return document.querySelector('#hits img').naturalWidth") == 40, "img"
    )
    assert "Expected class: blue" in page.text("#expected")
    assert page.text("#status") == "9 answers by drsl-c."
    assert page.errors() == []


def test_an_unknown_word_is_told(page):
    page.ask("zebra rose").title("zebra rose")
    assert page.text("#unknown") == "No word vector for: zebra"
    page.ask("zebra").alert("no word of 'zebra' has a word vector")
    assert not page.one("#found").is_displayed()
    page.ask("rose").title("rose")
    assert not page.one("#alert").is_displayed()
    assert not page.one("#unknown").is_displayed()
    page.ask("").alert("Type a word")


def test_a_picture_is_uploaded(page, picture):
    page.upload(picture).title("Texts for “my rose.png”")
    assert "Expected class: red" in page.text("#expected")
    assert len(page.ids()) == 9
    assert page.one("#query-picture").is_displayed()
    assert page.errors() == []


_FILE = """
const bytes = Uint8Array.from(atob(arguments[1]), (each) => each.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], "rose.png", { type: "image/png" }));
const named = { bubbles: true, cancelable: true };
const event = arguments[0] === "drop"
  ? new DragEvent("drop", { ...named, dataTransfer: data })
  : new ClipboardEvent("paste", { ...named, clipboardData: data });
document.querySelector("main").dispatchEvent(event);
"""


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(page, picture, way):
    page.until(lambda: page.one("#form").is_displayed(), "the form")
    page.driver.execute_script(_FILE, way, base64.b64encode(picture.read_bytes()).decode())
    page.title("Texts for “rose.png”")
    assert page.one("#ask-picture").is_displayed()


def test_a_broken_picture_is_told(page, tmp_path):
    (tmp_path / "broken.png").write_text("no picture")
    page.upload(tmp_path / "broken.png").alert("the picture is not an image that Pillow can read")
    assert not page.one("#found").is_displayed()


def test_a_picture_that_is_too_large_is_told_before_it_is_sent(page, tmp_path):
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(20 * 2**20 + 1)
    page.upload(tmp_path / "large.png").alert("large.png has more than 20 MiB")


def test_a_click_on_a_result_searches_with_it_and_back_goes_back(page):
    page.ask("red rose").title("red rose")
    first = page.ids()[0]
    caption = page.text("#hits .caption")
    page.one("#hits button").click()
    page.title(f"Texts for “{caption[:9]}")
    assert page.ids() == [hit["id"] for hit in _answer(page.address, f"item={first}&find=text")["hits"]]
    assert "the item’s class" in page.text("#expected")
    assert page.one("#query-picture").is_displayed()
    page.one("#hits button").click()
    page.title("Pictures for “")
    assert not page.one("#query-picture").is_displayed()
    page.driver.back()
    page.title("Texts for “")
    page.driver.back()
    page.title("Pictures for “red rose”")


def test_of_an_item_the_direction_may_be_turned(page):
    page.open("/?item=item-5&find=text").title("Texts for “")
    page.one("input[name=find][value=image]").click()
    page.title("Pictures for “")
    assert page.ids() == [hit["id"] for hit in _answer(page.address, "item=item-5&find=image")["hits"]]


def test_choices_ask_again(page):
    page.ask("rose").title("rose")
    page.choose("split", "all")
    page.until(lambda: len(page.ids()) == 10, "ten answers")
    page.choose("only", "blue")
    page.until(lambda: "blue" in page.text("#hits li") and "wrong" in page.text("#hits li"), "only blue")
    page.one("#count option:first-child").click()
    page.until(lambda: len(page.ids()) == 5, "five answers")
    page.driver.refresh()  # the address names it all
    page.title("rose")
    assert page.ids() == [hit["id"] for hit in _answer(page.address, "words=rose&split=all&only=blue&count=5")["hits"]]
    assert page.driver.execute_script("return document.getElementById('method').value") == '["drsl-c",0]'


def test_downloads(page, tmp_path):
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.ask("grass zebra").title("grass")
    page.one("#as-json").click()
    page.one("#as-csv").click()
    files = [tmp_path / f"drsl-squares.{ending}" for ending in ("json", "csv")]
    page.until(lambda: all(file.is_file() and file.stat().st_size for file in files), "two files")
    time.sleep(0.1)
    expected = _answer(page.address, "words=grass+zebra")
    assert json.loads(files[0].read_text()) == expected
    rows = list(csv.DictReader(io.StringIO(files[1].read_text())))
    assert [row["id"] for row in rows] == [hit["id"] for hit in expected["hits"]]


def test_a_picture_s_answers_are_downloaded_too(page, picture, tmp_path):
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.upload(picture).title("my rose")
    page.one("#as-csv").click()
    file = tmp_path / "drsl-squares.csv"
    page.until(lambda: file.is_file() and file.stat().st_size, "a file")
    assert len(file.read_text().splitlines()) >= 10


def test_a_script_in_a_caption_does_not_run(page):
    page.ask("red rose").title("red rose")
    assert "item-35" in page.ids()
    caption = page.text("#hits li[data-id=item-35] .caption")
    assert "<script>document.title='ran'</script>" in caption
    assert page.all("#hits script, #hits img[src=x]") == []
    page.one("#hits li[data-id=item-35] button").click()
    page.title("<script>")
    page.open("/?words=%3Cimg+src%3Dx+onerror%3D%22document.title%3D%27ran%27%22%3E+rose").title("<img src=x")
    time.sleep(0.2)
    assert page.driver.title == "drsl search: squares"
    assert page.errors() == []


def test_a_narrow_screen(page):
    metrics = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.open().ask("red rose").title("red rose")
    for _ in range(2):
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 320
        page.open("/docs")


def test_the_keyboard_alone_is_enough(page):
    page.ask("red rose").title("red rose")
    assert page.driver.switch_to.active_element.get_attribute("id") == "words"
    for _ in range(9):  # the button, four choices, two downloads, the first answer
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        if page.driver.switch_to.active_element.find_elements(By.CSS_SELECTOR, ".caption"):
            break
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.title("Texts for “")
    assert page.driver.switch_to.active_element.get_attribute("id") == "title"


def test_every_control_has_a_name_and_every_picture_a_text(page):
    page.ask("red rose").title("red rose")
    code = """return [...document.querySelectorAll("input, select, button")].filter(
      (each) => !(each.labels && each.labels.length) && !each.textContent.trim()).map((each) => each.outerHTML)"""
    assert page.driver.execute_script(code) == []
    assert all(each.get_attribute("alt").startswith("picture of") for each in page.all("#hits img"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(page, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    color = page.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert color == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_documents_ask_nothing_of_the_network(page):
    page.open("/docs")
    assert "GET /api/search" in page.text("main")
    code = "return performance.getEntriesByType('resource').map((each) => each.name)"
    assert all(each.startswith(page.address) for each in page.driver.execute_script(code))
    assert page.errors() == []


def test_without_javascript_the_page_says_so(page):
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.open()
        assert "needs JavaScript" in page.text("noscript")
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_server_that_is_gone_is_told(page):
    page.ask("rose").title("rose")
    page.driver.execute_cdp_cmd("Network.enable", {})
    gone = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", gone)
    try:
        page.ask("sea").alert("does not answer")
    finally:
        back = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", back)
