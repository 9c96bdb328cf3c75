"""Tests of analysis/ on a synthetic result file and synthetic films. Exit code 77: no Python that has what it takes."""

import csv
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANALYSIS = ROOT / "analysis"
sys.path[:0] = [str(ANALYSIS), str(pathlib.Path(__file__).resolve().parent)]

from svi_analysis import environment  # noqa: E402

environment.enter(exit_code=77)

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from fixture import ARMS, FRAMES, SCENES, write_film, write_result  # noqa: E402
from svi_analysis import films, results, statistics, tables  # noqa: E402


def script(name, *arguments):
    return subprocess.run([sys.executable, ANALYSIS / name, *map(str, arguments)], capture_output=True, text=True, check=False)


class WithFolder(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)

    def tearDown(self):
        self._folder.cleanup()


class Statistics(unittest.TestCase):
    def test_philox_gives_the_published_words(self):  # Salmon et al. 2011, known answers of Random123
        words = statistics.philox(([0], [0], [0], [0]), (0, 0))
        self.assertEqual([hex(int(word[0])) for word in words], ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"])

    def test_interval_of_equal_values_has_no_width(self):
        interval = statistics.bootstrap_interval([np.nan, 2, 2, np.nan])
        self.assertEqual((interval.mean, interval.low, interval.high, interval.count), (2, 2, 2, 2))

    def test_interval_has_the_width_of_the_central_limit(self):
        values = np.random.default_rng(0).standard_normal(400)
        interval = statistics.bootstrap_interval(values)
        self.assertAlmostEqual(interval.high - interval.low, 2 * 1.96 / 20, delta=0.02)

    def test_band_is_the_interval_of_each_clip(self):
        curves = np.random.default_rng(0).standard_normal((9, 5))
        curves[2, 3] = np.nan
        band = statistics.bootstrap_band(curves)
        for clip in range(5):
            interval = statistics.bootstrap_interval(curves[:, clip])
            np.testing.assert_allclose(band[:, clip], [interval.mean, interval.low, interval.high], atol=1e-12)

    def test_slope_ignores_a_wild_clip(self):
        curve = 30 - 0.25 * np.arange(20)
        curve[7] = 1000
        self.assertAlmostEqual(statistics.robust_slope(curve), -0.25)
        self.assertTrue(np.isnan(statistics.robust_slope([1])))


class Tables(WithFolder):
    def test_numbers_are_those_of_the_curves(self):
        result = results.read(write_result(self.folder / "study.h5"))
        self.assertEqual([quantity.name for quantity in result.quantities],
                         ["pocket_quality", "pocket_consistency", "psnr", "motion", "seam_jump"])
        cell = tables.cells(result)["psnr"][0]
        self.assertAlmostEqual(cell.drift_per_clip.mean, -1.5, places=2)
        self.assertAlmostEqual(cell.last_clip.mean, 30 - 1.5 * 11, places=1)
        self.assertEqual(cell.whole_film.count, SCENES)  # one seed only
        self.assertEqual(tables.cells(result)["seam_jump"][1].first_clip.count, 0)

    def test_three_formats(self):
        path = write_result(self.folder / "study.h5")
        done = script("table", path, "--out", self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        markdown = (self.folder / "table.md").read_text()
        self.assertIn("## psnr (dB), higher is better", markdown)
        self.assertIn("4 to 12 films an arm", markdown)
        rows = list(csv.DictReader(io.StringIO((self.folder / "table.csv").read_text())))
        self.assertEqual(len(rows), 5 * len(ARMS) * 4)
        tex = (self.folder / "table.tex").read_text()
        self.assertIn(r"ERFT, 100 \% \& \{more\}: it's", tex)
        self.assertEqual(tex.count(r"\begin{tabular}"), 5)

    def test_cost_of_the_films(self):
        path = write_result(self.folder / "study.h5", whole=True)
        self.assertEqual(script("table", path, "--out", self.folder).returncode, 0)
        markdown = (self.folder / "table.md").read_text()
        # 12 clips of 11 evaluations; 5 + 11 x 4 frames at 8 per second.
        self.assertIn("| arm | evaluations a film | evaluations | thousand tokens | seconds | peak GiB |", markdown)
        # A film of 49 / 8 seconds takes 9,800 tokens, 24.5 s and 3 GiB.
        self.assertIn(f"| plain fine-tuning | 132 | {12 * 11 / (49 / 8):.4g} | 1.6 | 4 | 3 |", markdown)
        rows = [row for row in csv.DictReader(io.StringIO((self.folder / "table.csv").read_text()))
                if row["quantity"] == "cost"]
        self.assertEqual(len(rows), 5 * len(ARMS))
        self.assertEqual(rows[0]["mean"], "120.0")
        with h5py.File(path, "a") as file:  # of a version that did not count them
            del file["cost/tokens"], file["timing"]
        self.assertEqual(script("table", path, "--out", self.folder).returncode, 0)
        self.assertIn("| arm | evaluations a film | evaluations |\n", (self.folder / "table.md").read_text())
        self.assertEqual(results.read(write_result(self.folder / "old.h5")).cost, [])

    def test_says_what_is_wrong(self):
        done = script("table", self.folder / "none.h5")
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot be read", done.stderr)
        path = write_result(self.folder / "study.h5")
        done = script("table", path, "--quantities", "psrn")
        self.assertEqual(done.returncode, 2)
        self.assertIn("it holds pocket_quality", done.stderr)


class Drift(WithFolder):
    def test_draws_every_quantity(self):
        path = write_result(self.folder / "study.h5")
        for out in ("a", "b"):
            done = script("plot_drift", path, "--out", self.folder / out)
            self.assertEqual(done.returncode, 0, done.stderr)
        with Image.open(self.folder / "a" / "drift.png") as picture:
            width, height = picture.size
        self.assertGreater(min(width, height), 600)
        svg = self.folder / "a" / "drift.svg"
        self.assertEqual(xml.etree.ElementTree.parse(svg).getroot().tag, "{http://www.w3.org/2000/svg}svg")
        self.assertEqual(svg.read_bytes(), (self.folder / "b" / "drift.svg").read_bytes())

    def test_one_quantity_and_one_clip(self):
        path = write_result(self.folder / "study.h5", quantities=("psnr",))
        self.assertEqual(script("plot_drift", path, "--quantities", "psnr").returncode, 0)
        self.assertTrue((self.folder / "figures" / "drift.png").exists())


class SideBySide(WithFolder):
    def setUp(self):
        super().setUp()
        self.run = self.folder / "study"
        for hue, arm in enumerate(("truth", "base", "erft")):
            write_film(self.run / "videos" / arm / "scene0.mp4", hue)
        write_film(self.run / "videos" / "erft" / "scene1.mp4", 1, frames=9)

    def test_film_and_contact_sheet_of_each_scene(self):
        write_result(self.run / "study.h5")
        out = self.folder / "it's: a [strange], folder%"
        done = script("side_by_side", self.run, "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        film = films.Film(out / "scene0.mp4")
        self.assertEqual((film.frames, film.width), (FRAMES, 3 * 196))
        self.assertGreater(film.height, 48)
        self.assertEqual(films.Film(out / "scene1.mp4").frames, 9)
        picture = np.asarray(film.read([40])[40], int)
        hues = [picture[-80, 196 * column + 160].argmax() for column in range(3)]
        self.assertEqual(hues, [0, 1, 2])  # truth, base, erft: the order of the result file
        with Image.open(out / "scene0.png") as sheet:
            self.assertEqual(sheet.width, 150 + 5 * 174 + 6)

    def test_without_result_file_and_with_odd_names(self):
        write_film(self.run / "videos" / "a'b:c%{n},[x]" / "scene0.mp4", 0)
        done = script("side_by_side", self.run, "--scenes", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(films.Film(self.run / "figures" / "scene0.mp4").width, 4 * 196)
        self.assertFalse((self.run / "figures" / "scene1.mp4").exists())

    def test_says_that_there_are_no_films(self):
        done = script("side_by_side", self.folder / "nothing")
        self.assertEqual(done.returncode, 2)
        self.assertIn("[evaluation] videos", done.stderr)

    def test_moments_are_ends_of_clips(self):
        self.assertEqual(films.moments(49, 12), [("clip 1", 3), ("clip 3", 11), ("clip 6", 23), ("clip 9", 36), ("clip 12", 48)])
        self.assertEqual(films.moments(1, 1), [("clip 1", 0)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
