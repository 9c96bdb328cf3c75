"""The report page in headless Chromium: errors, films, curves, phones, the dark. Exit code 77: no browser to try it in."""

import importlib.util
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANALYSIS = ROOT / "analysis"
sys.path[:0] = [str(ANALYSIS), str(pathlib.Path(__file__).resolve().parent)]

from svi_analysis import environment  # noqa: E402

environment.enter(exit_code=77)

LACKING = [f"no {name}" for name in ("chromium", "chromedriver") if shutil.which(name) is None]
if importlib.util.find_spec("selenium") is None:
    LACKING.append("no selenium (analysis/requirements-test.txt)")
if LACKING:
    sys.stderr.write(f"test_browser.py: skipped: {', '.join(LACKING)}; tools/setup installs what is missing\n")
    sys.exit(77)

from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

from fixture import CLIPS, LABELS, write_folder  # noqa: E402
from svi_analysis.report import live, page  # noqa: E402

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


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.study = write_folder(cls.folder / "study")
        criteria = cls.folder / "criteria.ini"
        criteria.write_text("[x]\ntest = within\nquantity = psnr\na = erft, last\nlow = 31\n", encoding="utf-8")
        cls.page = page.write(page.build(cls.study / "study.h5", criteria_file=criteria), cls.study / "report.html")
        cls.driver = browser()

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()
        cls._folder.cleanup()

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

    def test_films_play_in_step_pause_and_seek(self):
        self.show()
        self.wait("return [...document.querySelectorAll('video')].every((v) => v.readyState >= 2)")
        self.assertEqual(len(self.times()), 4)
        self.assertEqual(self.script("return [...document.querySelectorAll('video')].map((v) => v.error)"), [None] * 4)
        self.press("button.play")
        self.wait("return [...document.querySelectorAll('video')].every((v) => v.currentTime > 0.7)")
        times = self.times()
        self.assertLess(max(times) - min(times), 0.35)  # seconds; frames are 1/8 s apart
        self.press("button.play")
        still = self.times()
        self.assertNotEqual(self.find("#films-player .readout").text, f"clip 1 of {CLIPS}")
        time.sleep(0.3)
        self.assertEqual(self.times(), still)
        self.script("const r = document.querySelector('#films-player input[type=range]'); r.value = 500;"
                    "r.dispatchEvent(new Event('input'))")
        self.wait("return [...document.querySelectorAll('video')].every((v) => !v.seeking)")
        for seconds in self.times():
            self.assertAlmostEqual(seconds, 49 / 8 / 2, delta=0.15)
        self.assertEqual(self.find("#films-player .readout").text, f"clip 7 of {CLIPS}")

    def test_another_scene_shows_other_films(self):
        self.show()
        first = self.script("return document.querySelector('video').src")
        self.press("button.scene[data-scene='1']")
        self.assertNotEqual(self.script("return document.querySelector('video').src"), first)
        self.assertEqual(self.find("button.scene[data-scene='1']").get_attribute("aria-pressed"), "true")
        self.wait("return [...document.querySelectorAll('video')].every((v) => v.readyState >= 2 && v.videoWidth > 0)")

    def test_buttons_switch_arms_in_curves_and_films(self):
        self.show()
        count = "return document.querySelectorAll('#curves-chart path.curve').length"
        self.assertEqual(self.script(count), len(LABELS))
        button = "#curves-chart .legend button[data-arm='3']"
        self.press(button)
        self.assertEqual(self.script(count), len(LABELS) - 1)
        self.assertEqual(self.find(button).get_attribute("aria-pressed"), "false")
        self.assertEqual(self.script("return document.querySelector('.films figure[data-arm=\"3\"]').hidden"), True)
        self.find(button).send_keys(Keys.ENTER)
        self.assertEqual(self.script(count), len(LABELS))

    def test_arrow_keys_read_the_values_of_the_file(self):
        self.show()
        select = Select(self.find("#curves-chart select"))
        select.select_by_visible_text("psnr (dB)")
        plot = self.find("#curves-chart .plot")
        plot.send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 4)
        said = plot.get_attribute("aria-valuetext")
        self.assertTrue(said.startswith("clip 5: "), said)
        self.assertAlmostEqual(float(said.split(LABELS[0])[1].split(",")[0]), 30 - 1.5 * 4, delta=0.02)
        values = json.loads(self.script("return document.getElementById('data').textContent"))
        entry = next(entry for entry in values["curves"] if entry["title"] == "psnr (dB)")
        self.assertAlmostEqual(entry["series"][0]["mean"][4], 30 - 1.5 * 4, delta=0.02)
        frames = [option.text for option in select.options if "frame by frame" in option.text]
        select.select_by_visible_text(frames[0])
        self.assertEqual(plot.get_attribute("aria-valuemax"), "48")

    def test_click_on_a_curve_goes_there_in_the_films(self):
        self.show()
        self.wait("return [...document.querySelectorAll('video')].every((v) => v.readyState >= 2)")
        self.find("#curves-chart .plot").send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 8, Keys.ENTER)
        self.wait("return [...document.querySelectorAll('video')].every((v) => !v.seeking)")
        self.assertEqual(self.find("#films-player .readout").text, f"clip 9 of {CLIPS}")

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

    def test_prints_dark_on_light_with_everything_open(self):
        self.show(dark=True, media="print")
        self.script("dispatchEvent(new Event('beforeprint'))")
        self.assertGreater(min(self.background()), 200)
        self.assertEqual(self.script("return document.querySelectorAll('details:not([open])').length"), 0)

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

    def test_live_page_comes_again_by_itself(self):
        folder = self.folder / "going"
        folder.mkdir()
        (folder / "progress.json").write_text(json.dumps({"state": "running", "jobs_done": 1, "jobs_total": 4, "jobs": [
            {"name": "train-erft-s0", "state": "running", "fraction": 0.5}]}), encoding="utf-8")
        target = page.write(live.render(folder, {}, 0.3)[0], folder / "report.html")
        self.show(target)
        self.assertIn("1 of 4 jobs done", self.find("#progress-facts").text)
        page.write(target.read_text().replace("1 of 4 jobs", "2 of 4 jobs"), target)
        self.wait("return document.getElementById('progress-facts').textContent.includes('2 of 4 jobs done')")


if __name__ == "__main__":
    unittest.main(verbosity=2)
