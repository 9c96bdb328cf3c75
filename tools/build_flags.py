"""What the tools beside this file ask a build folder: how it compiles a file."""

import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DROPPED = ("-MD", "-c")
WITH_VALUE = ("-o", "-MT", "-MF")


def default_build():
    """The build folder: SVI_BUILD, or build/."""
    return pathlib.Path(os.environ.get("SVI_BUILD") or ROOT / "build")


def entries(build, ninja="ninja"):
    """What the build compiles: dictionaries with file, output and command."""
    done = subprocess.run([ninja, "-C", build, "-t", "compdb"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {build} is no configured build folder; run tools/build first")
    return [entry for entry in json.loads(done.stdout) if entry["output"].endswith(".o")]


def words_of(command):
    """The compiler and its flags, without launcher, source, outputs and dependency files."""
    words = shlex.split(command)
    words = words[next(i for i, word in enumerate(words) if "ccache" not in word):-1]
    kept, skip = [], False
    for word in words:
        if not skip and word not in DROPPED and word not in WITH_VALUE:
            kept.append(word)
        skip = word in WITH_VALUE
    return kept


def without_precompiled_header(words):
    """The same flags where each file must include what it uses."""
    kept, skip = [], False
    for word in words:
        if not skip and word not in ("-include", "-Winvalid-pch"):
            kept.append(word)
        skip = word == "-include"
    return kept


def like(found, name):
    """The flags of a source file by the end of its name, or of any file of a target by the end of its folder."""
    for entry in found:
        if entry["file"].endswith("/" + name) or f"/{name}.dir/" in entry["output"]:
            return words_of(entry["command"])
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: the build has no {name}; run tools/build first")
