"""The report page in headless Chromium: errors, films, curves, phones, the dark. Exit code 77: no browser to try it in."""

import json
import pathlib
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANALYSIS = ROOT / "analysis"
sys.path[:0] = [str(ANALYSIS), str(pathlib.Path(__file__).resolve().parent)]

from svi_analysis import environment  # noqa: E402

environment.enter(exit_code=77)

from browsing import AnyPage, InBrowser, Keys, Select  # noqa: E402
from fixture import CLIPS, LABELS, write_folder  # noqa: E402
from svi_analysis.report import live, page  # noqa: E402


class Report(AnyPage, InBrowser):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.study = write_folder(cls.folder / "study")
        criteria = cls.folder / "criteria.ini"
        criteria.write_text("[x]\ntest = within\nquantity = psnr\na = erft, last\nlow = 31\n", encoding="utf-8")
        cls.page = page.write(page.build(cls.study / "study.h5", criteria_file=criteria), cls.study / "report.html")
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls._folder.cleanup()

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

    def test_prints_dark_on_light_with_everything_open(self):
        self.show(dark=True, media="print")
        self.script("dispatchEvent(new Event('beforeprint'))")
        self.assertGreater(min(self.background()), 200)
        self.assertEqual(self.script("return document.querySelectorAll('details:not([open])').length"), 0)

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
