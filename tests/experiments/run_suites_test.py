"""benchmarks/suites/run with a stand-in for svi-experiment: order, resuming, exit codes, and what it writes down."""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Notes its arguments; ends with the exit code that the file `code` beside it holds, if the suite is talk.
STAND_IN = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
case $1 in */talk.ini) exit "$(cat "$here/code")" ;; esac
"""
# Waits for its end, which it is told by a signal and takes its time for.
WAITING = """#!/bin/sh
here=$(dirname "$0")
trap 'sleep .5; basename "$1" >> "$here/ended"; exit 3' TERM
touch "$here/began"
while :; do sleep .05; done
"""


class RunSuites(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        (self.folder / "bin").mkdir()
        program = self.folder / "bin" / "svi-experiment"
        program.write_text(STAND_IN, encoding="utf-8")
        program.chmod(0o755)
        self.ends_with(0)

    def tearDown(self):
        self._folder.cleanup()

    def ends_with(self, code):
        (self.folder / "bin" / "code").write_text(str(code), encoding="utf-8")

    def command(self, *arguments):
        return [sys.executable, ROOT / "benchmarks/suites/run", "--build", self.folder, "--ranks", "1", "--out",
                self.folder / "taken.json", *arguments]

    def run_suites(self, *arguments):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)

    def calls(self):
        path = self.folder / "bin" / "calls"
        return [line.split() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def taken(self):
        return json.loads((self.folder / "taken.json").read_text(encoding="utf-8"))

    def test_every_suite_of_the_folder_runs_once_and_can_be_resumed(self):
        done = self.run_suites("--size", "quick", "--set", "evaluation.scenes=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        files = [pathlib.Path(call[0]) for call in self.calls()]
        self.assertEqual(sorted(files), sorted((ROOT / "benchmarks/suites").glob("*.ini")))
        for call in self.calls():
            self.assertEqual(call[1:], ["--resume", "--size", "quick", "--set", "evaluation.scenes=1"])
        self.assertEqual(list(self.taken()["suites"]), [file.stem for file in files])
        self.assertTrue(all(suite["finished"] for suite in self.taken()["suites"].values()))
        self.assertIn("machine", self.taken())

    def test_a_suite_that_fails_ends_the_run_and_the_same_command_goes_on(self):
        self.ends_with(3)
        self.assertEqual(self.run_suites("creative", "talk", "dance").returncode, 3)
        self.assertEqual([pathlib.Path(call[0]).stem for call in self.calls()], ["creative", "talk"])
        self.assertFalse(self.taken()["suites"]["talk"]["finished"])
        first = self.taken()["suites"]["creative"]
        self.ends_with(0)
        self.assertEqual(self.run_suites("creative", "talk", "dance").returncode, 0)
        talk = self.taken()["suites"]["talk"]
        self.assertEqual((talk["finished"], talk["attempts"]), (True, 2))
        self.assertEqual(self.taken()["suites"]["creative"], first)  # finished: its time is not counted again

    def test_a_signal_lets_the_suite_end_by_itself_and_its_time_counts(self):
        (self.folder / "bin" / "svi-experiment").write_text(WAITING, encoding="utf-8")
        for number in (signal.SIGTERM, signal.SIGINT):
            running = subprocess.Popen(self.command("talk", "dance"), stderr=subprocess.PIPE, text=True)
            began = self.folder / "bin" / "began"
            while not began.exists():
                self.assertIsNone(running.poll())
                time.sleep(0.02)
            began.unlink()
            running.send_signal(number)
            self.assertIn("goes on from there", running.communicate()[1])
            self.assertEqual(running.returncode, 3)
        self.assertEqual((self.folder / "bin" / "ended").read_text(encoding="utf-8"), "talk.ini\ntalk.ini\n")
        self.assertEqual(self.taken()["suites"]["talk"]["attempts"], 2)
        self.assertFalse(self.taken()["suites"]["talk"]["finished"])

    def test_times_of_other_settings_are_not_added_up(self):
        self.run_suites("dance")
        self.run_suites("talk", "--set", "evaluation.scenes=1")
        self.assertEqual(list(self.taken()["suites"]), ["talk"])

    def test_times_of_another_size_are_not_added_up(self):
        self.run_suites("--size", "quick", "dance")
        self.run_suites("--size", "full", "talk")
        self.assertEqual((self.taken()["size"], list(self.taken()["suites"])), ("full", ["talk"]))

    def test_what_is_not_there_is_refused(self):
        for arguments, said in ((["dancing"], "consistent, consistent_long"), (["--ranks", "0"], "1 or more"),
                                (["--build", str(self.folder / "none")], "tools/build")):
            done = self.run_suites(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(said, done.stderr)
        for text in ("no JSON", "[]", '{"suites": 1}'):
            (self.folder / "taken.json").write_text(text, encoding="utf-8")
            done = self.run_suites("dance")
            self.assertEqual(done.returncode, 2)
            self.assertIn("taken.json", done.stderr)
        self.assertEqual(self.calls(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
