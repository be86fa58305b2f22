"""The report's page in a real browser: Debian's chromium. Skips, with the reason, where it is not."""

import base64
import json

import numpy as np
import pytest

from drsl.evaluate.report.build import write_report
from drsl.features.tensor_file import MODEL_FORMAT, write_tensors


@pytest.fixture
def address(layout):
    told = {"settings": {"hidden": [512] * 40}, "provenance": {"image_digest": "0123456789abcdef" * 4}}
    write_tensors(layout.run("cca", 0).model, MODEL_FORMAT, {"a": np.ones(1)}, told)
    write_report(layout)
    return (layout.report / "index.html").as_uri()


@pytest.fixture
def open_page(driver, address):
    for kind in ("browser", "performance"):
        driver.get_log(kind)  # of what came before
    driver.execute_cdp_cmd("Network.enable", {})

    def go(**metrics):
        if metrics:
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get(address)
        return driver

    yield go
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_it_asks_for_nothing_and_nothing_fails(open_page, address):
    driver = open_page()
    sent = [json.loads(each["message"])["message"] for each in driver.get_log("performance")]
    asked = [each["params"]["request"]["url"] for each in sent if each["method"] == "Network.requestWillBeSent"]
    assert [each for each in asked if not each.startswith("data:")] == [address]
    assert not [each for each in sent if each["method"] == "Network.loadingFailed"]
    assert driver.get_log("browser") == []
    code = "return [...document.images].filter((each) => !each.complete || !each.naturalWidth).length"
    assert driver.execute_script("return document.images.length") > 0
    assert driver.execute_script(code) == 0


def test_on_a_phone_only_tables_scroll_sideways(open_page):
    driver = open_page(width=360, height=740, deviceScaleFactor=1, mobile=True)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 360


def test_light_and_dark(open_page):
    driver = open_page()
    seen = {}
    for colors in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": colors}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        code = """
            const page = getComputedStyle(document.body), letters = document.querySelector('figure svg text')
            return [page.backgroundColor, page.color, getComputedStyle(letters).fill]"""
        seen[colors] = driver.execute_script(code)
    assert seen["light"][0] != seen["dark"][0]
    for colors in seen.values():
        assert colors[1] == colors[2]  # what is written in the pictures has the page's colour


def test_it_prints_what_is_folded(open_page):
    driver = open_page()
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    height = "return document.querySelector('details table').getBoundingClientRect().height"
    assert driver.execute_script(height) > 50
    printed = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")
