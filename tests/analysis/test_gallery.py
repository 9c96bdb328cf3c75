"""The gallery: how it takes films and numbers of runs, and its page in headless Chromium. Exit code 77: no browser."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANALYSIS = ROOT / "analysis"
GALLERY = ROOT / "docs" / "gallery"
sys.path[:0] = [str(ANALYSIS), str(pathlib.Path(__file__).resolve().parent)]

from svi_analysis import environment  # noqa: E402

environment.enter(exit_code=77)

import h5py  # noqa: E402

from browsing import AnyPage, InBrowser  # noqa: E402
from fixture import CLIPS, FRAMES, LABELS, write_folder  # noqa: E402
from svi_analysis import films  # noqa: E402
from svi_analysis.gallery import build, collect  # noqa: E402

BYTES = 200_000  # the most that a film in the repository may have
SUITES = ("consistent", "consistent_long", "creative", "creative_long", "talk", "dance")


def suite_folder(folder, name, prompts=None):
    """A result folder of a suite; `prompts` go into the record of the cure's film."""
    folder = write_folder(folder / f"suite_{name}")
    (folder / "study.h5").rename(folder / f"{folder.name}.h5")
    with h5py.File(folder / f"{folder.name}.h5", "a") as file:
        file.attrs["name"] = folder.name
    if prompts:
        clips = [{"first_frame": 4 * i, "frames": 4, "prompt": prompt} for i, prompt in enumerate(prompts)]
        (folder / "videos" / "erft" / "scene0.json").write_text(json.dumps({"format": 1, "clips": clips}), encoding="utf-8")
    return folder


class Collecting(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        self.run_folder = suite_folder(self.folder, "creative", [f"prompt {i}" for i in range(CLIPS)])
        self.out = self.folder / "gallery"

    def tearDown(self):
        self._folder.cleanup()

    def script(self, *arguments):
        return subprocess.run([sys.executable, ANALYSIS / "gallery", "--out", self.out, *map(str, arguments)],
                              capture_output=True, text=True, check=False)

    def test_films_numbers_and_prompts_are_those_of_the_run(self):
        done = self.script(self.run_folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        [suite] = collect.read(self.out)
        self.assertEqual([film["label"] for film in suite["films"]], ["the truth", LABELS[0], LABELS[3]])
        self.assertEqual(suite["prompts"], [f"prompt {i}" for i in range(CLIPS)])
        # pocket_quality is curve 3 of the fixture: the base falls by 1.5 / 4 a clip, the cure not at all.
        ends = [(entry["first"], entry["last"]) for film in suite["films"] for entry in film["numbers"]
                if entry["name"] == "pocket_quality"]
        self.assertEqual([tuple(round(float(end), 1) for end in pair) for pair in ends],
                         [(30, round(30 - 11 * 0.375, 1)), (30, 30)])
        for film in suite["films"]:
            made = films.Film(self.out / "films" / film["file"])
            self.assertEqual((made.frames, made.rate), (FRAMES, "8/1"))

    def test_a_run_again_replaces_its_suite_and_keeps_the_order(self):
        other = suite_folder(self.folder, "talk")
        self.script(self.run_folder, other)
        first = (self.out / "index.html").read_bytes()
        self.assertEqual(self.script(self.run_folder).returncode, 0)
        self.assertEqual(len(collect.read(self.out)), 2)
        self.assertEqual((self.out / "index.html").read_bytes(), first)
        self.assertEqual(self.script().returncode, 0)  # the page alone
        self.assertEqual((self.out / "index.html").read_bytes(), first)

    def test_what_cannot_be_shown_is_refused(self):
        for arguments, said in (((self.folder,), "results/NAME"), ((self.run_folder, "--arms", "base,cure"), "erft"),
                                ((self.run_folder, "--arms", "no_image"), "[evaluation] videos"),
                                ((self.run_folder, "--scene", 7), "0, 1"), ((self.run_folder, "--limit", 300), "--limit"),
                                ((), "gallery.json")):
            done = self.script(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(said, done.stderr)


class Committed(unittest.TestCase):
    """What lies in docs/gallery."""

    def test_every_suite_is_shown_with_base_and_cure(self):
        suites = collect.read(GALLERY)
        self.assertEqual([suite["name"] for suite in suites], list(SUITES))
        for suite in suites:
            self.assertLessEqual({"base", "erft"}, {film["arm"] for film in suite["films"]})

    def test_films_are_small_and_none_is_left_over(self):
        named = {film["file"] for suite in collect.read(GALLERY) for film in suite["films"]}
        self.assertEqual({path.name for path in (GALLERY / "films").iterdir()}, named)
        for path in (GALLERY / "films").iterdir():
            self.assertLess(path.stat().st_size, BYTES, path)

    def test_page_is_what_the_script_makes_of_it(self):
        self.assertEqual((GALLERY / "index.html").read_text(encoding="utf-8"), build.document(collect.read(GALLERY)),
                         "run analysis/gallery")


class Page(AnyPage, InBrowser):
    page = GALLERY / "index.html"

    def loaded(self):
        self.wait("return [...document.querySelectorAll('video')].every((v) => v.readyState >= 2)")

    def times_of(self, suite):
        return self.script(f"return [...document.querySelectorAll('#{suite} video')].map((v) => v.currentTime)")

    def test_every_film_can_be_played(self):
        self.show()
        self.loaded()
        count = sum(len(suite["films"]) for suite in collect.read(GALLERY))
        self.assertEqual(self.script("return [...document.querySelectorAll('video')].map((v) => v.error)"), [None] * count)

    def test_films_of_a_suite_play_in_step_and_alone(self):
        self.show()
        self.loaded()
        self.press("#consistent_long button.play")
        self.wait("return [...document.querySelectorAll('#consistent_long video')].every((v) => v.currentTime > 0.7)")
        times = self.times_of("consistent_long")
        self.assertLess(max(times) - min(times), 0.35)  # seconds; frames are 1/8 s apart
        self.press("#creative_long button.play")
        self.wait("return [...document.querySelectorAll('#creative_long video')].every((v) => v.currentTime > 0.3)")
        self.assertEqual(self.find("#consistent_long button.play").text, "Play")
        still = self.times_of("consistent_long")
        self.wait("return [...document.querySelectorAll('#creative_long video')].every((v) => v.currentTime > 0.6)")
        self.assertEqual(self.times_of("consistent_long"), still)

    def test_slider_goes_to_a_clip_and_shows_its_prompt(self):
        suite = next(suite for suite in collect.read(GALLERY) if suite["name"] == "creative")
        self.show()
        self.loaded()
        self.assertEqual(self.find("#creative .prompt").text, suite["prompts"][0])
        self.script("const r = document.querySelector('#creative input[type=range]'); r.value = 950;"
                    "r.dispatchEvent(new Event('input'))")
        self.wait("return [...document.querySelectorAll('#creative video')].every((v) => !v.seeking)")
        self.assertEqual(self.find("#creative .readout").text, f"clip {suite['clips']} of {suite['clips']}")
        self.assertEqual(self.find("#creative .prompt").text, suite["prompts"][-1])

    def test_three_films_stand_beside_each_other_on_a_phone(self):
        self.show(width=360)
        self.loaded()
        tops = self.script("return [...document.querySelectorAll('#consistent video')].map((v) => v.getBoundingClientRect().top)")
        self.assertEqual(len(set(tops)), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
