"""Tests of paired comparisons, places along a film, and criteria: closed forms, and coverage in simulated studies."""

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

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from fixture import CLIPS, SCENES, SEEDS, write_result  # noqa: E402
from svi_analysis import comparing, criteria, paired, results  # noqa: E402
from svi_analysis.points import Point, PointError  # noqa: E402


class Intervals(unittest.TestCase):
    def test_one_seed_has_the_width_of_the_central_limit(self):
        values = np.random.default_rng(0).standard_normal((1, 400))
        interval = paired.interval(values)
        spread = values.std() / 20
        self.assertAlmostEqual(interval.mean, values.mean(), places=12)
        self.assertAlmostEqual(interval.high - interval.low, 2 * 1.96 * spread, delta=0.03 * 4 * spread)

    def test_seeds_are_drawn_apart_from_scenes(self):
        # Scenes do not matter here, seeds 0 and 1 do: resampled means are 0, 1/2 and 1 in shares 1/4, 1/2, 1/4.
        values = np.repeat([[0.0], [1.0]], 5, axis=1)
        _, (drawn,), sizes = paired.resampled_means([values])
        self.assertEqual(sizes, (2, 5))
        shares = [np.mean(np.isclose(drawn, level)) for level in (0, 0.5, 1)]
        np.testing.assert_allclose(shares, [0.25, 0.5, 0.25], atol=0.02)

    def test_both_arms_get_the_same_scenes(self):
        # Scenes differ by hundreds, arms by one tenth: unpaired, nothing could be told.
        scenes = 100 * np.random.default_rng(1).standard_normal((2, 8))
        difference = paired.difference(scenes + 0.1, scenes)
        np.testing.assert_allclose([difference.mean, difference.low, difference.high], 0.1, atol=1e-9)
        self.assertEqual((difference.seeds, difference.scenes), (2, 8))

    def test_missing_films_are_left_out_of_both_arms(self):
        a = np.array([[1.0, 2.0, 3.0, np.nan]])
        b = np.array([[0.0, 0.0, np.nan, 7.0]])
        difference = paired.difference(a, b)
        self.assertEqual((difference.mean, difference.scenes), (1.5, 2))
        self.assertEqual(paired.difference(a * np.nan, b).count, 0)

    def test_coverage_of_simulated_studies(self):
        # Four seeds, sixteen scenes, effects of both and noise. Nominal 95 %; crossed resampling with so few seeds may
        # fall short of it by several points, and must not by more.
        random = np.random.default_rng(2)
        hits, called, studies = 0, 0, 200
        for _ in range(studies):
            error = random.standard_normal((4, 1)) * 0.3 + random.standard_normal((1, 16)) + random.standard_normal((4, 16))
            difference = paired.difference(error + 0.5, np.zeros((4, 16)))
            hits += difference.low <= 0.5 <= difference.high
            called += paired.difference(error, np.zeros((4, 16))).p < 0.05
        self.assertGreaterEqual(hits / studies, 0.90)
        self.assertLessEqual(hits / studies, 0.99)
        self.assertLessEqual(called / studies, 0.10)

    def test_band_is_the_interval_of_each_clip(self):
        values = np.random.default_rng(3).standard_normal((2, 6, 70))
        values[1, 2, 3] = np.nan
        values[..., 0] = np.nan
        band = paired.band(values)
        self.assertTrue(np.isnan(band[:, 0]).all())
        for clip in (1, 3, 69):
            interval = paired.interval(values[..., clip])
            np.testing.assert_allclose(band[:, clip], [interval.mean, interval.low, interval.high], atol=1e-9)

    def test_digits_are_the_same_everywhere(self):  # recorded from this code; numpy's own generators play no part
        values = np.arange(12.0).reshape(2, 6) ** 2
        interval = paired.interval(values)
        self.assertEqual([round(v, 9) for v in (interval.mean, interval.low, interval.high)], RECORDED)


class P(unittest.TestCase):
    def test_is_below_five_percent_where_the_interval_leaves_zero_out(self):
        random = np.random.default_rng(4)
        for shift in np.linspace(0, 1, 30):
            difference = paired.difference(random.standard_normal((1, 20)) + shift, np.zeros((1, 20)))
            outside = difference.low > 0 or difference.high < 0
            self.assertTrue(outside == (difference.p < 0.05) or abs(difference.p - 0.05) < 0.003)

    def test_of_few_pairs_is_no_smaller_than_a_sign_flip_test_allows(self):
        difference = paired.difference(np.array([[5.0, 5.1, 5.2]]), np.zeros((1, 3)))
        self.assertEqual(difference.p, 0.25)
        self.assertGreater(difference.low, 0)

    def test_of_equal_arms_is_one(self):
        self.assertEqual(paired.difference(np.ones((2, 3)), np.ones((2, 3))).p, 1)

    def test_holm_by_hand(self):
        np.testing.assert_allclose(paired.holm([0.01, 0.04, 0.03, np.nan, 0.5]), [0.04, 0.09, 0.09, np.nan, 0.5])
        np.testing.assert_allclose(paired.holm([0.6, 0.7]), [1, 1])


class Ratios(unittest.TestCase):
    def test_of_proportional_arms_has_no_width(self):
        base = -1 - np.random.default_rng(5).random((2, 9))
        ratio = paired.ratio(0.2 * base, base)
        np.testing.assert_allclose([ratio.mean, ratio.low, ratio.high], 0.2)

    def test_over_what_may_be_zero_is_anything(self):
        ratio = paired.ratio(np.ones((1, 9)), np.linspace(-1, 1.1, 9)[None])
        self.assertEqual((ratio.low, ratio.high), (-np.inf, np.inf))


class Points(unittest.TestCase):
    def test_places_are_those_that_are_named(self):
        curve = np.arange(1.0, 51.0)
        for text, value in {"clip 50": 50, "first": 1, "last": 50, "clips 5..15": 10, "last tenth": 48, "film": 25.5,
                            "drift": 1, "7": 7}.items():
            self.assertEqual(float(Point.parse(text).of(curve)), value, text)

    def test_drift_leaves_the_first_clip_out(self):
        self.assertEqual(float(Point.parse("drift").of([1000.0, 1, 2, 3])), 1)

    def test_says_what_is_wrong(self):
        for text in ("clip 0", "clips 9..3", "somewhere", "clip"):
            with self.assertRaisesRegex(PointError, "last tenth"):
                Point.parse(text)
        with self.assertRaisesRegex(PointError, "beyond the 4 clips"):
            Point.parse("clip 5").of(np.zeros(4))


class WithResult(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.path = write_result(cls.folder / "study.h5", whole=True)
        cls.result = results.read(cls.path)

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()


class Comparing(WithResult):
    def test_untrained_arm_is_compared_with_every_seed(self):
        found = comparing.compare(self.result, 0, ["last"], [self.result.quantity("psnr")])
        self.assertEqual([c.difference.seeds for c in found], [SEEDS] * 3)
        self.assertAlmostEqual(found[0].difference.mean, 0.5 * (CLIPS - 1), delta=0.02)
        self.assertEqual(found[0].base.count, SCENES)  # but its films count once

    def test_settings_say_which_arms_are_trained(self):
        # In a run that trains the base, too, its curves fill the first arm, which is rolled out once all the same.
        self.assertEqual(self.result.trained, [False, True, True, True])
        with h5py.File(self.folder / "pretrain.h5", "w") as new, h5py.File(self.path) as old:
            for name in old:
                old.copy(name, new)
            new.attrs.update(old.attrs)
            new["training/loss"][0] = 1.0
        self.assertEqual(results.read(self.folder / "pretrain.h5").trained, [False, True, True, True])

    def test_verdicts_follow_the_better_side(self):
        # Four scenes: no p-value below 1/8, so nothing is told apart, however clear it looks.
        self.assertEqual({c.verdict for c in comparing.compare(self.result, 0)}, {""})
        comparison = comparing.compare(self.result, 0, ["last"], [self.result.quantity("psnr")])[2]
        comparison.p_holm = 0.01
        self.assertEqual(comparison.verdict, "better")
        comparison.quantity = self.result.quantity("frechet")
        self.assertEqual(comparison.verdict, "worse")
        comparison.quantity = self.result.quantity("motion")
        self.assertEqual(comparison.verdict, "differs")

    def test_counts_its_comparisons(self):
        found = comparing.compare(self.result, 0)
        self.assertEqual(len(found), 6 * 3 * 3)
        self.assertIn("54 comparisons were made", comparing.note(self.result, found))

    def test_script_compares_with_the_baseline_named(self):
        done = subprocess.run([sys.executable, ANALYSIS / "compare", self.path, "--baseline", "plain", "--quantities", "psnr"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("against plain fine-tuning", done.stdout)
        done = subprocess.run([sys.executable, ANALYSIS / "compare", self.path, "--baseline", "bose"], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("its arms are base, plain", done.stderr)


GOOD = """
[about]
title = Does it cure?
result = study

[DEFAULT]
quantity = psnr

[apart]
claim = ERFT ends above the base
test = above
a = erft, clip 12
b = base, clip 12

[ratio]
test = ratio
a = erft, last
b = erft, first
low = 0.99
high = 1.01

[slope]
test = ratio
a = plain, drift
b = base, drift
high = 0.6

[plateau]
test = near
a = erft, last tenth
b = erft, clips 5..11
percent = 1

[middle]
test = below_middle
a = no_image, last
b = base, last
c = erft, last

[gain]
test = within
quantity = loop_gain/gain
a = erft, brightness
high = 0.601

[far]
test = ratio
quantity = loop_gain/measured_rms
a = erft, noise, last
b = base, noise, last
high = 0.8
"""


class CriteriaFiles(WithResult):
    def write(self, text):
        path = self.folder / "criteria.ini"
        path.write_text(text, encoding="utf-8")
        return path

    def test_verdicts_are_those_of_the_known_curves(self):
        verdicts = criteria.judge(self.path, criteria.read(self.write(GOOD)))
        met = {verdict.criterion.name: verdict.met for verdict in verdicts}
        self.assertEqual(met, {"apart": True, "ratio": True, "slope": False, "plateau": True, "middle": False, "gain": True,
                               "far": True})
        slope = next(verdict for verdict in verdicts if verdict.criterion.name == "slope")
        self.assertAlmostEqual(slope.measured.mean, 2 / 3, places=2)

    def test_whole_interval_is_more_than_the_estimate(self):
        text = "[x]\ntest = within\nquantity = psnr\na = base, last\nlow = {}\ndecide = {}\n"
        mean = comparing.value_at(self.result, self.result.quantity("psnr"), Point.parse("last"), 0).mean
        for decide, met in (("estimate", True), ("interval", False)):
            asked = criteria.read(self.write(text.format(mean - 1e-6, decide)))
            self.assertEqual(criteria.judge(self.path, asked)[0].met, met)

    def test_what_was_not_measured_is_not_met(self):
        text = "[x]\ntest = within\nquantity = seam_jump\na = erft, first\nlow = 0\n"
        self.assertFalse(criteria.judge(self.path, criteria.read(self.write(text)))[0].met)

    def test_says_what_is_wrong(self):
        wrong = {
            "": "holds no criterion",
            "[x]\ntest = abov\n": "did you mean above",
            "[x]\ntest = above\nquantity = psnr\na = erft\n": r"\[x\] b: is missing",
            "[x]\ntest = within\nquantity = psnr\na = erft\n": "low or high: is missing",
            "[x]\ntest = within\nquantity = psnr\na = erft\nhihg = 1\nlow = 0\n": "hihg: test = within has no such key",
            "[x]\ntest = within\nquantity = psnr\na = erft, clp 3\nlow = 0\n": "is no place along a film",
            "[x]\ntest = within\nquantity = psnr\na = erft\nlow = few\n": "'few' is no number",
            "[x]\ntest = within\nquantity = psnr\na = erft\nlow = 1\ndecide = perhaps\n": "known are estimate, interval",
            "no section\n": "no section headers",
        }
        for text, message in wrong.items():
            with self.assertRaisesRegex(criteria.CriteriaError, message):
                criteria.read(self.write(text))
        unfit = {
            "a = efrt\nlow = 0": "has no arm efrt",
            "a = erft, clip 13\nlow = 0": "beyond the 12 clips",
            "quantity = loop_gain/gian\na = erft\nlow = 0": "it holds loop_gain/bias",
            "quantity = loop_gain/gain\na = erft, brihgtness\nlow = 0": "it has brightness, tint",
        }
        for text, message in unfit.items():
            text = "[x]\ntest = within\n" + ("" if "quantity" in text else "quantity = psnr\n") + text + "\n"
            with self.assertRaisesRegex(criteria.CriteriaError, message):
                criteria.judge(self.path, criteria.read(self.write(text)))

    def test_example_of_the_documentation_can_be_read(self):
        text = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8")
        example = text.split("```ini\n")[1].split("```")[0]
        asked = criteria.read(self.write(example))
        self.assertEqual([c.name for c in asked.criteria], ["cure", "kept", "slope", "plateau", "control", "gain"])
        self.assertEqual(asked.about["result"], "ablation_eimg")
        for test in criteria.TESTS:
            self.assertIn(f"`{test}`", text)

    def test_exit_codes(self):
        path = self.write(GOOD)
        command = [sys.executable, ANALYSIS / "check_thresholds", self.path, "--criteria", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("5 of 7 criteria are met", done.stdout)
        self.assertEqual(subprocess.run([*command, "--strict"], capture_output=True, check=False).returncode, 1)
        self.write("[x]\ntest = nothing\n")
        self.assertEqual(subprocess.run(command, capture_output=True, check=False).returncode, 2)


RECORDED = [42.166666667, 4.666666667, 90.666666667]

if __name__ == "__main__":
    unittest.main(verbosity=2)
