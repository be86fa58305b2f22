"""Takes the pictures of docs/images: the search page in light, in dark and on a narrow screen, and the report's page.

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

ROOT = Path(__file__).resolve().parents[1]
SHOTS = {  # name: (address, width, height, colours)
    "search-light": ("?words=fruit", 1100, 900, "light"),
    "search-dark": ("?item={picture}&find=text", 1100, 900, "dark"),
    "search-narrow": ("?words=sad+face", 390, 844, "light"),
}


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
    """Opens a page, waits for its pictures, and saves what is seen as PNG of at most 256 colours."""
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
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"wrote {path} ({path.stat().st_size // 1000} kB)")


def main() -> None:
    """Takes them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-d", "--dataset", default="emoji")
    parser.add_argument("--picture", default="1F34E", help="the item asked with in the dark picture")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    report = ROOT / "reports" / given.dataset / "index.html"
    with serving(given.dataset) as address, browsing() as browser:
        for name, (query, *how) in SHOTS.items():
            shoot(browser, address + query.format(picture=given.picture), given.out / f"{name}.png", *how)
        if report.is_file():
            shoot(browser, report.as_uri(), given.out / "report.png", 1100, 900, "light")


if __name__ == "__main__":
    main()
