"""Takes the pictures of docs/images: the search page, the report, and the curves that `dvc plots` draws.

`python docs/screenshots.py` needs the fitted data set `emoji` (`dvc repro`), the extras `web` and `test`, and Debian's
chromium (`apt-get install chromium chromium-driver`). It starts `drsl serve`, and ends it.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from selenium import webdriver

from drsl.evaluate.figures import as_png, draw
from drsl.evaluate.report.build import gather
from drsl.features.layout import Layout

ROOT = Path(__file__).resolve().parents[1]
SEARCH = {  # name: (address, width, height, colours)
    "search-light": ("?words=fruit", 1100, 900, "light"),
    "search-dark": ("?item={picture}&find=text", 1100, 900, "dark"),
    "search-narrow": ("?words=sad+face", 390, 844, "light"),
}
REPORT = {
    "report": ("", 1100, 900, "light"),
    "report-confusion": ("#0-{dataset}-confusion", 1100, 900, "light"),
    "report-items": ("#0-{dataset}-items", 1100, 760, "dark"),
    "report-queries": ("#0-{dataset}-queries", 1100, 1000, "light"),
    "report-narrow": ("#0-{dataset}-classes", 390, 844, "dark"),
}
CURVES = {"precision-recall": 0, "convergence": 0}  # kind: which of its pictures


@contextmanager
def serving(dataset: str) -> Iterator[str]:
    """Runs `drsl serve` on a free port; gives the page's address."""
    command = [sys.executable, "-m", "drsl", "-C", str(ROOT), "serve", "-d", dataset, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        try:
            if not line.startswith("http"):
                raise SystemExit("drsl serve did not start")
            yield line.split()[0]
        finally:
            server.terminate()


@contextmanager
def browsing() -> Iterator[webdriver.Chrome]:
    """Runs chromium without a window."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        raise SystemExit("no browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(each)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def shoot(browser: webdriver.Chrome, address: str, path: Path, width: int, height: int, colors: str) -> None:
    """Opens a page, waits for its pictures, and saves what is seen."""
    media = {"features": [{"name": "prefers-color-scheme", "value": colors}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(address)
    ready = "return document.title && (!document.getElementById('form') || document.querySelector('#hits li'))"
    for _ in range(200):
        if browser.execute_script(ready):
            break
        time.sleep(0.05)
    time.sleep(1)
    save(Image.open(io.BytesIO(browser.get_screenshot_as_png())), path)


def draw_curves(layout: Layout, out: Path) -> None:
    """Draws curves of all methods as PNG, with the specifications of `dvc plots`."""
    found = gather(layout).plots
    for kind, place in CURVES.items():
        plot = [each for each in found if each.kind == kind][place]
        spec = draw(kind, plot.curves, plot.title, plot.x, plot.y, width=560, height=380)
        save(Image.open(io.BytesIO(as_png(spec, scale=1.5))), out / f"{kind}.png")


def save(picture: Image.Image, path: Path) -> None:
    """Saves a picture as PNG of at most 256 colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"wrote {path} ({path.stat().st_size // 1000} kB)")


def main() -> None:
    """Takes them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-d", "--dataset", default="emoji")
    parser.add_argument("--picture", default="1F34E", help="the item asked with in the dark picture")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    layout = Layout(ROOT, given.dataset)
    draw_curves(layout, given.out)
    with serving(given.dataset) as address, browsing() as browser:
        for name, (query, *how) in SEARCH.items():
            shoot(browser, address + query.format(picture=given.picture), given.out / f"{name}.png", *how)
        page = (layout.report / "index.html").as_uri()
        for name, (place, *how) in REPORT.items():
            shoot(browser, page + place.format(dataset=given.dataset), given.out / f"{name}.png", *how)


if __name__ == "__main__":
    main()
