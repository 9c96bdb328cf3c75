"""Tests of the paper's tables and figures on a synthetic result file."""

import csv
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANALYSIS = ROOT / "analysis"
sys.path[:0] = [str(ANALYSIS), str(pathlib.Path(__file__).resolve().parent)]

from svi_analysis import environment  # noqa: E402

environment.enter(exit_code=77)

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from fixture import LABELS, write_result  # noqa: E402
from svi_analysis import paper, paper_figures, results, tabular  # noqa: E402


def script(name, *arguments):
    return subprocess.run([sys.executable, ANALYSIS / name, *map(str, arguments)], capture_output=True, text=True, check=False)


class WithStudy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.path = write_result(cls.folder / "study.h5", whole=True)

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()


class PaperTables(WithStudy):
    def test_components_stand_beside_the_papers_numbers(self):
        done = script("table_components", self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {line.split("|")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("|")}
        self.assertIn("73.82", rows["without image error"])
        self.assertIn("94.69", rows["full"])
        self.assertNotIn("without video error", rows)
        self.assertIn("no arm for: without video error, without noise error", done.stdout)
        self.assertIn("another scale than ours", done.stdout)
        self.assertIn("subject consistency: pocket_consistency", done.stdout)

    def test_mapping_of_rows_and_columns(self):
        done = script("table_components", self.path, "--rows", "full=plain", "--columns",
                      "imaging quality=frechet,motion smoothness=", "--at", "last", "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        full = {row["column"]: row for row in rows if row["row"] == "full"}
        self.assertAlmostEqual(float(full["imaging quality: frechet, lower is better"]["value"]), 1 + 0.1 * 11 * 3, places=1)
        self.assertFalse(any(column.startswith("motion smoothness") for column in full))
        done = script("table_components", self.path, "--columns", "image quality=psnr")
        self.assertEqual(done.returncode, 2)
        self.assertIn("imaging quality", done.stderr)

    def test_no_quantity_stands_for_two_columns(self):
        found = [q.name for q in paper.columns(results.read(self.path)).values() if q is not None]
        self.assertEqual(len(found), len(set(found)))

    def test_two_lengths(self):
        done = script("table_consistent", self.path, "--lengths", "4,12,50", "--format", "csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [row for row in csv.DictReader(io.StringIO(done.stdout)) if "psnr" in row["column"] or row["source"] == "paper"]
        base = [float(row["value"]) for row in rows if row["row"] == LABELS[0]]
        np.testing.assert_allclose(base, [30 - 1.5 * 1.5, 30 - 1.5 * 5.5], atol=0.02)  # means over clips 1..4 and 1..12
        self.assertIn("98.13", done.stdout)
        self.assertIn("fewer than 50 clips", script("table_consistent", self.path).stdout)

    def test_films_that_follow_at_two_lengths(self):
        path = write_result(self.folder / "talk.h5", ("psnr", "ssim", "mouth_lag", "mouth_lag_confidence"))
        done = script("table_conditional", path, "--lengths", "4,12,50", "--format", "csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [row for row in csv.DictReader(io.StringIO(done.stdout)) if row["row"] == LABELS[0]]

        def of(column):
            return [float(row["value"]) for row in rows if row["column"].startswith(column)]

        # Curve i falls by 1.5 / (i + 1) a clip: means over clips 1..4 and 1..12, but what tells of the film so far at its end.
        np.testing.assert_allclose(of("PSNR: psnr"), [30 - 1.5 * 1.5, 30 - 1.5 * 5.5], atol=0.02)
        np.testing.assert_allclose(of("offset: mouth_lag"), [30 - 0.5 * 3, 30 - 0.5 * 11], atol=0.03)
        np.testing.assert_allclose(of("confidence: mouth_lag_confidence"), [30 - 0.375 * 3, 30 - 0.375 * 11], atol=0.03)
        text = script("table_conditional", path).stdout
        self.assertIn("Left out: 50 clips", text)
        self.assertIn("not those of SyncNet", text)
        self.assertEqual(script("table_conditional", path, "--columns", "distance=psnr").returncode, 2)

    def test_ablation_says_what_each_arm_changes(self):
        out = self.folder / "tables"
        done = script("table_ablation", self.path, self.path, "--quantities", "psnr", "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("injection.image_probability = 0", (out / "ablation.md").read_text())
        self.assertEqual((out / "ablation.tex").read_text().count(r"\begin{tabular}"), 2)
        self.assertIn(r"ERFT, 100 \% \& \{more\}", (out / "ablation.tex").read_text())

    def test_latex_knows_powers_and_infinity(self):
        interval = type("I", (), {"mean": 1.5e-7, "low": -np.inf, "high": np.inf, "count": 3})()
        text = tabular.latex(tabular.Table("t", "T", ["a"], [tabular.Row("r", [interval])]))
        self.assertIn(r"$1.5 \cdot 10^{-7}$ {\scriptsize $[-\infty, \infty]$}", text)


class PaperFigures(WithStudy):
    def test_each_is_drawn_alike_every_time(self):
        for name, extra in (("figure_stability", ["--quantities", "psnr,frechet"]), ("figure_gain", []), ("figure_errors", [])):
            svgs = []
            for out in ("a", "b")[:1 if name == "figure_stability" else 2]:
                done = script(name, self.path, "--out", self.folder / out, *extra)
                self.assertEqual(done.returncode, 0, done.stderr)
                png, svg = map(pathlib.Path, done.stdout.split())
                with Image.open(png) as picture:
                    self.assertGreater(min(picture.size), 350)
                svgs.append(svg.read_bytes())
            self.assertTrue(svgs[0] == svgs[-1])

    def test_stability_takes_frames_where_there_are_some(self):
        done = script("figure_stability", self.path, self.path, "--quantities", "psnr", "--smooth", 5, "--out", self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = script("figure_stability", self.path, "--quantities", "motion", "--against", "frame")
        self.assertEqual(done.returncode, 2)
        self.assertIn("it has those of psnr", done.stderr)

    def test_moving_mean(self):
        np.testing.assert_allclose(paper_figures.smoothed(np.array([1.0, np.nan, 3, 8]), 3), [1, 2, 5.5, 5.5])

    def test_says_which_diagnostic_is_missing(self):
        plain = write_result(self.folder / "plain.h5")
        for name, diagnostic in (("figure_gain", "loop_gain"), ("figure_errors", "error_map")):
            done = script(name, plain)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"[diagnostic.{diagnostic}]", done.stderr)

    def test_axes_of_diagnostics_are_read(self):
        fields = results.read_diagnostic(self.path, "loop_gain")
        self.assertEqual(fields["gain"].dimensions, ["arm", "seed", "direction"])
        rows, names = paper_figures.gain_rows(fields)
        self.assertEqual(names, ["brightness", "tint", "low_frequency", "noise"])
        np.testing.assert_allclose(rows["gain"][3], 0.6 - 0.02 * np.arange(4))
        np.testing.assert_allclose(rows["gain_low"][0], 1.0 - 0.02 * np.arange(4))


if __name__ == "__main__":
    unittest.main(verbosity=2)
