"""Tests of analysis/paper: every cell of the paper's tables says what is published, what is measured, and with whose weights."""

import csv
import json
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

from fixture import ARMS, INI, SCENES, SEEDS, write_result  # noqa: E402
from svi_analysis import paper, paper_sources, paper_whole, results  # noqa: E402

IDENTITY, TRAINED = ("weights diffusion_pytorch_model.safetensors", "identity 12ab"), ("weights dit.safetensors", "sha256 34cd")


def settle(path, weights=None, settings=""):
    """Adds to a result file what tells of weights, and settings."""
    with h5py.File(path, "a") as file:
        made = file.require_group("provenance")
        if weights:
            made.attrs[weights[0]] = weights[1]
        for name in ("original_ini", "resolved_ini"):
            if name in file:
                del file[name]
            file[name] = INI + settings
    return path


def run(*arguments):
    return subprocess.run([sys.executable, ANALYSIS / "paper", *map(str, arguments)], capture_output=True, text=True, check=False)


class WholePaper(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)

    def tearDown(self):
        self._folder.cleanup()

    def study(self, name="study", weights=TRAINED, settings="", **more):
        return settle(write_result(self.folder / f"{name}.h5", **more), weights, settings)

    def cells(self, *arguments):
        """{(table, row, column): line of tables.csv}, and the page."""
        out = self.folder / "paper"
        done = run(*arguments, "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        with (out / "tables.csv").open(encoding="utf-8") as file:
            found = {(line["table"], line["row"], line["column"].split(" (")[0]): line for line in csv.DictReader(file)}
        return found, (out / "paper.md").read_text(encoding="utf-8")

    def test_without_results_every_cell_of_ours_is_empty_and_says_so(self):
        found, page = self.cells()
        ours = [line for (_, _, column), line in found.items() if column.startswith("ours")]
        self.assertEqual({line["text"] for line in ours}, {"not measured"})
        self.assertIn(f"Of our cells: {len(ours)} not measured.", page)
        self.assertIn("[diagnostic.error_map]", page)

    def test_published_numbers_stand_where_they_are_known_and_nowhere_else(self):
        found, _ = self.cells()
        known = {key: float(line["value"]) for key, line in found.items()
                 if key[2].startswith("paper") and line["value"]}
        self.assertEqual({line["source"] for key, line in found.items() if key in known}, {"paper"})
        expected = {}
        for table, numbers in (("table1-consistent", paper.CONSISTENT), ("table1-creative", paper.CREATIVE),
                               ("conditional", paper.TOLD), ("ablation", {row: n for row, _, n in paper.COMPONENTS})):
            expected.update({(table, f"{row}: {column}", "paper"): value for row, columns in numbers.items()
                             for column, value in columns.items()})
        expected.update({("log", row, f"paper, log, {length} prompts"): value
                         for row, values in paper.DEVELOPMENT_LOG.items() for length, value in zip(paper.LENGTHS, values)})
        self.assertEqual(known, expected)
        others = {line["text"] for key, line in found.items() if key[2].startswith("paper") and key not in known}
        self.assertEqual(others, {"not known here"})

    def test_a_pocket_run_fills_its_length_and_says_pocket(self):
        (self.folder / "header.h5").write_bytes(b"what results/*/*.h5 finds, too")
        found, page = self.cells(self.study(), self.folder / "header.h5")
        for row, fall in ((f"{paper.BASE}: {paper.IMAGING}", 1.5), (f"{paper.SHOT}: {paper.IMAGING}", 0)):
            line = found["table1-consistent", row, "ours, 10 clips"]
            self.assertEqual(line["source"], "pocket")
            self.assertAlmostEqual(float(line["value"]), 30 - fall * 4.5, delta=0.02)  # mean over clips 1..10
            self.assertEqual(found["table1-consistent", row, "ours, 50 clips"]["text"], "not measured")
            self.assertIn("psnr", found["table1-consistent", row, "measured by"]["text"])
        self.assertIn("SVI-Shot: arm erft", page)

    def test_official_weights_go_before_the_pocket_whatever_the_order(self):
        files = [self.study("drawn"), self.study("wan", IDENTITY, quantities=("imaging_quality",))]
        for order in (files, files[::-1]):
            found, _ = self.cells(*order)
            self.assertEqual(found["table1-consistent", f"{paper.SHOT}: {paper.IMAGING}", "ours, 10 clips"]["source"],
                             "official weights")
            self.assertEqual(found["table1-consistent", f"{paper.SHOT}: {paper.SUBJECT}", "ours, 10 clips"]["source"], "pocket")

    def test_each_file_serves_what_its_settings_and_quantities_say(self):
        story = "\n[data]\nstory_clips = 10\n"
        found, _ = self.cells(self.study("story", settings=story), self.study("sound", quantities=("psnr", "mouth_lag",
                                                                                               "mouth_lag_confidence")))
        self.assertEqual(found["table1-creative", f"{paper.SHOT}: {paper.IMAGING}", "ours, 10 clips"]["source"], "pocket")
        self.assertEqual(found["table1-consistent", f"{paper.SHOT}: {paper.IMAGING}", "ours, 10 clips"]["text"], "not measured")
        self.assertEqual(found["log", paper.BASE, "ours, 10 clips"]["source"], "pocket")
        self.assertEqual(found["ablation", f"without image error: {paper.IMAGING}", "ours, whole films"]["source"], "pocket")

    def test_a_stream_is_one_whose_prompts_change(self):
        path = self.study(settings="\n[method]\nprompts = stream\n")
        record = self.folder / "videos" / "erft" / "scene0.json"
        record.parent.mkdir(parents=True)
        for second, role in (("a cat", "consistent"), ("a dog", "creative")):
            record.write_text(json.dumps({"clips": [{"prompt": "a cat"}, {"prompt": second}]}), encoding="utf-8")
            roles = paper_sources.read(str(path)).roles
            self.assertIn(role, roles)
            self.assertEqual("stability" in roles, role == "consistent")  # Figure 5 is of one prompt

    def test_films_that_are_told_take_the_arms_of_their_method(self):
        told = INI.replace("label = ERFT, 100", "method.type = svi_talk\nlabel = ERFT, 100")
        path = self.study("sound", quantities=("psnr", "mouth_lag", "mouth_lag_confidence"))
        with h5py.File(path, "a") as file:
            del file["resolved_ini"]
            file["resolved_ini"] = told
        found, page = self.cells(path)
        line = found["conditional", f"{paper.TALK}: {paper.SYNC_C}", "ours"]
        self.assertEqual((line["source"], found["conditional", f"{paper.TALK}: {paper.SYNC_D}", "ours"]["text"]),
                         ("pocket", "not measured"))
        self.assertAlmostEqual(float(line["value"]), 30, delta=0.02)
        self.assertIn("talk: ours of 12 clips, the paper's of 60", page)

    def test_numbers_of_whole_films_and_of_sets_are_read(self):
        path = self.study("films")
        with h5py.File(path, "a") as file:
            file["metrics/film/imaging_quality"] = np.full((len(ARMS), SEEDS, SCENES), 0.75)
            file["metrics/film_set/fvd"] = np.full((len(ARMS), SEEDS), 300.0)
        read = results.read_films(path)
        self.assertEqual([quantity.name for quantity in read.quantities], ["imaging_quality", "fvd"])
        source = paper_sources.read(str(path))
        quantity, value = source.value(("imaging_quality",), 0)
        self.assertEqual((quantity.name, value.mean), ("imaging_quality", 0.75))
        self.assertIsNone(source.value(("imaging_quality",), 0, 10))  # of whole films of 12 clips, not of 10
        self.assertEqual(source.value(("fvd",), 0)[1].mean, 300)

    def test_a_role_can_be_given_and_a_wrong_one_is_refused(self):
        path = self.study()
        found, _ = self.cells(f"creative={path}")
        self.assertEqual(found["table1-creative", f"{paper.SHOT}: {paper.IMAGING}", "ours, 10 clips"]["source"], "pocket")
        self.assertEqual(found["table1-consistent", f"{paper.SHOT}: {paper.IMAGING}", "ours, 10 clips"]["text"], "not measured")
        for text, said in ((f"creativ={path}", "creative"), (self.folder / "none.h5", "none.h5")):
            done = run(text)
            self.assertEqual(done.returncode, 2)
            self.assertIn(said, done.stderr)

    def test_figures_are_drawn_and_named_with_their_weights(self):
        found, page = self.cells(self.study(weights=IDENTITY, whole=True))
        self.assertIn("![Figure 5: stability](figure5.png)", page)
        self.assertIn("12 clips, 49 frames, official weights", page)
        for name in ("figure5.png", "figure5.svg", "figure6.png", "figure6.svg", "tables.tex"):
            self.assertGreater((self.folder / "paper" / name).stat().st_size, 1000)

    def test_the_same_files_give_the_same_page(self):
        path = self.study(whole=True)
        pages = []
        for name in "ab":
            paper_whole.write([paper_sources.read(str(path))], self.folder / name)
            pages.append([(file.name, file.read_bytes()) for file in sorted((self.folder / name).iterdir())
                          if file.suffix != ".png"])
        self.assertEqual(pages[0], pages[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
