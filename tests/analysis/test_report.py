"""Tests of the report page as text, and of following a run. test_browser.py looks at the page in a browser."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANALYSIS = ROOT / "analysis"
sys.path[:0] = [str(ANALYSIS), str(pathlib.Path(__file__).resolve().parent)]

from svi_analysis import environment  # noqa: E402

environment.enter(exit_code=77)

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from fixture import ARMS, CLIPS, FRAMES, INI, LABELS, SCENES, SEEDS, curves, write_folder, write_result  # noqa: E402
from svi_analysis import results  # noqa: E402
from svi_analysis.report import data, live, media, page  # noqa: E402


def script(*arguments):
    return subprocess.run([sys.executable, ANALYSIS / "report", *map(str, arguments)], capture_output=True, text=True,
                          check=False)


class WithStudy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.study = write_folder(cls.folder / "study")
        cls.path = cls.study / "study.h5"
        cls.page = page.build(cls.path)

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()

    def holds(self, text, *words):
        """Whether the page has the words; without printing all of it where it has not."""
        for word in words:
            self.assertTrue(word in text, f"the page lacks {word}")


class ReportText(WithStudy):
    def test_stands_alone(self):
        text = self.page
        self.assertLess(len(text), 8e6)
        without = re.sub(r'"data":"[A-Za-z0-9+/=]+"|base64,[A-Za-z0-9+/=]+', "", text)
        self.assertIsNone(re.search(r'(src|href)="(?!data:|#)|url\(|@import|fetch\(|XMLHttpRequest', without))
        self.holds(text, "ERFT, 100 % &amp; {more}: it&#x27;s", "&lt;node&amp;1&gt;", "54 comparisons were made")
        values = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])
        self.assertEqual([film["label"] for film in values["scenes"][0]["films"]],
                         ["the truth", LABELS[0], LABELS[1], LABELS[3]])
        self.assertEqual([entry["title"] for entry in values["training"]], ["loss", "bank entries", "gradient norm"])

    def test_same_input_same_bytes(self):
        self.assertTrue(self.page == page.build(self.path))

    def test_films_give_way_to_the_limit(self):
        result = results.read(self.path)
        size = len(json.dumps(media.scenes(self.study, result, 3, 1e9)[0]))
        self.assertEqual(media.scenes(self.study, result, 3, 0), ([], 2))
        fewer, left_out = media.scenes(self.study, result, 1, 1e9)
        self.assertEqual((len(fewer), left_out), (1, 1))
        squeezed, left_out = media.scenes(self.study, result, 3, 0.7 * size)
        self.assertLess(len(json.dumps(squeezed)), 0.72 * size)
        self.assertGreater(len(squeezed), 0)
        self.assertEqual(media.scenes(self.folder, result, 3, 1e9), ([], 0))

    def test_criteria_stand_on_the_page(self):
        criteria = self.folder / "criteria.ini"
        criteria.write_text("[x]\ntest = within\nquantity = psnr\na = erft, last\nlow = 31\n", encoding="utf-8")
        self.holds(page.build(self.path, criteria_file=criteria, most_scenes=0), '<td class="fail">FAIL</td>')

    def test_without_diagnostics_films_or_provenance(self):
        bare = write_result(self.folder / "bare.h5")
        text = page.build(bare)
        self.assertNotIn('id="gain"', text)
        self.assertNotIn('id="films-player"', text)

    def test_script_data_cannot_end_the_script(self):
        self.assertNotIn("<", page.script_json({"a": "</script><!--"}))

    def test_long_curves_are_thinned_by_averaging(self):
        x, values = data.thinned(np.arange(1, 4801), np.arange(4800.0))
        self.assertEqual((len(x), x[0], x[-1]), (600, 8, 4800))
        self.assertEqual(values[0], 3.5)


class Live(WithStudy):
    def write_parts(self, folder, seeds):
        (folder / "parts").mkdir(parents=True)
        (folder / "original.ini").write_text(INI.replace("[experiment]", "[experiment]\nseeds = 0, 1, 2"), encoding="utf-8")
        whole = curves(0)
        for arm in range(len(ARMS)):
            for seed in seeds if arm else [0]:
                for start in (0, 2):
                    with h5py.File(folder / "parts" / f"eval-{arm}-{seed}-{start}.h5", "w") as part:
                        block = part.create_dataset("metrics/clip/psnr", data=whole[arm, seed, start:start + 2])
                        block.attrs.update({"part_path": "/metrics/clip/psnr", "part_start": [arm, seed, start, 0],
                                            "part_shape": [len(ARMS), SEEDS, SCENES, CLIPS], "unit": "dB",
                                            "meaning": "psnr", "higher_is_better": 1})

    def test_parts_are_put_where_the_run_will_put_them(self):
        folder = self.folder / "parted"
        self.write_parts(folder, [0, 1, 2])
        self.assertTrue(live.assemble(folder, self.folder / "whole.h5"))
        result = results.read(self.folder / "whole.h5")
        np.testing.assert_array_equal(result.quantity("psnr").values, curves(0))
        self.assertEqual((result.arms, result.labels, result.seeds), (ARMS, LABELS, [0, 1, 2]))

    def test_page_shows_jobs_and_what_is_measured(self):
        folder = self.folder / "going"
        self.write_parts(folder, [0])
        progress = {"format": 1, "experiment": "going", "question": "Q", "state": "running", "jobs_done": 3, "jobs_total": 9,
                    "seconds": 100, "remaining_seconds": 5400, "heartbeat_unix": time.time(), "pace_seconds": 1,
                    "jobs": [{"name": "train-<b>", "state": "running", "fraction": 0.25, "remaining_seconds": None,
                              "note": "loss .3"}, {"name": "later", "state": "waiting"}]}
        (folder / "progress.json").write_text(json.dumps(progress), encoding="utf-8")
        done = script(folder, "--live", "--times", 2, "--every", 0.01)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = (folder / "report.html").read_text()
        self.holds(text, "3 of 9 jobs done", "time left: 1 h 30 min", "train-&lt;b&gt;", "25 %", '"reload":0.01', 'id="curves"')
        progress["heartbeat_unix"] -= 500
        self.assertIn("no sign of life for 8 min", live.progress_section(progress, time.time()))

    def test_nothing_there_yet_and_broken_files_still_give_a_page(self):
        folder = self.folder / "empty"
        folder.mkdir()
        self.assertIn("no progress.json yet", live.render(folder, {}, 5)[0])
        (folder / "progress.json").write_text('{"jobs": 3', encoding="utf-8")
        (folder / "original.ini").write_text("[arm.", encoding="utf-8")
        self.assertIn("no progress.json yet", live.render(folder, {}, 5)[0])

    def test_ends_with_the_finished_page(self):
        (self.study / "progress.json").write_text('{"state": "complete", "jobs": []}', encoding="utf-8")
        done = script(self.study, "--live", "--out", self.folder / "live.html")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.holds((self.folder / "live.html").read_text(), '"reload":0}')
        self.assertIn("complete", done.stderr)
        self.assertEqual(FRAMES, results.read(self.path).frames)


if __name__ == "__main__":
    unittest.main(verbosity=2)
