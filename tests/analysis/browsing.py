"""Headless Chromium for tests of pages. Importing it ends the program with exit code 77 where there is no browser."""

import importlib.util
import os
import pathlib
import shutil
import sys
import time
import unittest

LACKING = [f"no {name}" for name in ("chromium", "chromedriver") if shutil.which(name) is None]
if importlib.util.find_spec("selenium") is None:
    LACKING.append("no selenium (analysis/requirements-test.txt)")
if LACKING:
    sys.stderr.write(f"{pathlib.Path(sys.argv[0]).name}: skipped: {', '.join(LACKING)}; tools/setup installs what is missing\n")
    sys.exit(77)

from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

__all__ = ["AnyPage", "InBrowser", "Keys", "Select"]

# Smallest contrast of any text with what is behind it, and that text. WCAG 2.1: relative luminance.
CONTRAST = """
const light = (c) => { const v = c.map((x) => { x /= 255; return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4; });
                       return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number);
                          return {rgb: n.slice(0, 3), a: n.length > 3 ? n[3] : 1}; };
const behind = (node) => { for (; node; node = node.parentElement) { const c = parse(getComputedStyle(node).backgroundColor);
                           if (c.a > .99) return c.rgb; } return [255, 255, 255]; };
let worst = [99, ""];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !node.getClientRects().length) continue;
  if (node.closest("script, style, option")) continue;
  const style = getComputedStyle(node), ink = node.closest("svg") ? style.fill : style.color;
  const a = light(parse(ink).rgb), b = light(behind(node));
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < worst[0]) worst = [ratio, walker.currentNode.textContent.trim().slice(0, 60)];
}
return worst;
"""
# What reaches beyond the right edge although it is in nothing that scrolls.
OVERFLOW = """
return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 &&
  !e.closest(".scroll, .drawn, pre, nav ul")).map((e) => e.outerHTML.slice(0, 80));
"""


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--mute-audio"):
        options.add_argument(argument)  # no sandbox: CI runs as root; it opens our own page only
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(30)
    return driver


class InBrowser(unittest.TestCase):
    """A test of `page`, a file. After each test the browser must have had nothing to complain of, and fetched nothing."""

    page = None  # set in setUpClass

    @classmethod
    def setUpClass(cls):
        cls.driver = browser()

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()

    def tearDown(self):
        # Whatever a test did: nothing may have complained, and nothing been fetched.
        complaints = [entry for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        self.assertEqual(complaints, [])
        self.assertEqual(self.script("return performance.getEntriesByType('resource').filter("
                                     "(e) => !/^(blob|data|file):/.test(e.name)).length"), 0)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def show(self, path=None, width=1200, dark=False, media="screen"):
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": scheme})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600})
        self.driver.get((path or self.page).as_uri())
        self.picture(f"{'dark' if dark else 'light'}-{width}")

    def picture(self, name):
        """Leaves a picture for people where SVI_SCREENSHOTS names a folder."""
        if os.environ.get("SVI_SCREENSHOTS"):
            self.wait("return [...document.querySelectorAll('video')].every((v) => v.readyState >= 2)")
            self.driver.save_screenshot(str(pathlib.Path(os.environ["SVI_SCREENSHOTS"]) / f"{name}.png"))

    def wait(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.script(condition):
                return
            time.sleep(0.05)
        self.fail(f"never came true: {condition}")

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, selector):
        self.script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", self.find(selector))
        self.find(selector).click()

    def background(self):
        """Red, green and blue of the page."""
        return self.script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")

    def times(self):
        return self.script("return [...document.querySelectorAll('video')].map((v) => v.currentTime)")


class AnyPage:
    """What holds for every page: mix it into an InBrowser."""

    def test_fits_a_phone(self):
        for dark in (False, True):
            self.show(width=360, dark=dark)
            self.script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            self.assertEqual(self.script("return document.documentElement.scrollWidth"), 360)
            self.assertEqual(self.script(OVERFLOW), [])

    def test_can_be_read_in_the_light_and_in_the_dark(self):
        for dark in (False, True):
            self.show(dark=dark)
            self.script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            self.assertEqual(max(self.background()) < 40, dark)
            ratio, text = self.script(CONTRAST)
            self.assertGreaterEqual(ratio, 4.5, text)

    def test_is_open_to_all(self):
        self.show()
        for what, text in {
                "pictures without a text": "all('img').filter((i) => !i.alt)",
                "controls without a name": "all('button, input, select, video, [role]').filter((e) => !(e.textContent.trim() || "
                                           "e.getAttribute('aria-label') || (e.labels && e.labels.length)))",
                "tables without headings": "all('table').filter((t) => !t.querySelector('th[scope]'))",
                "links that lead nowhere": "all('nav a').filter((a) => !document.querySelector(a.hash))",
                "names given twice": "all('[id]').filter((e) => document.getElementById(e.id) !== e)",
        }.items():
            found = self.script(f"const all = (q) => [...document.querySelectorAll(q)]; return {text}.map((e) => e.outerHTML)")
            self.assertEqual(found, [], what)
        levels = self.script("return [...document.querySelectorAll('h1, h2, h3')].map((h) => Number(h.tagName[1]))")
        self.assertEqual(levels.count(1), 1)
        self.assertTrue(all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels)
