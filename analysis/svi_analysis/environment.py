"""Finds a Python that has what the scripts need. Imports nothing but the standard library."""

import importlib.util
import os
import pathlib
import sys

NEEDED = ("h5py", "numpy", "matplotlib")


def venv_python():
    """The interpreter of the virtual environment that tools/setup makes; it may not be there."""
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(cache) / "svi" / "analysis-venv" / "bin" / "python"


def missing():
    """The needed packages that this interpreter lacks."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def enter(exit_code=2):
    """Goes on in this interpreter if it has everything, else in the virtual environment's.

    Where neither will do, says how to make one and exits with `exit_code`.
    """
    lacking = missing()
    if not lacking:
        return
    python = venv_python()
    here = pathlib.Path(sys.prefix).resolve() == python.parent.parent.resolve()
    if python.exists() and not here:
        os.execv(python, [str(python), *sys.argv])
    requirements = pathlib.Path(__file__).resolve().parent.parent / "requirements.txt"
    venv = python.parent.parent
    sys.stderr.write(
        f"{pathlib.Path(sys.argv[0]).name}: Python lacks {', '.join(lacking)}; run tools/setup, or\n"
        f"  python3 -m venv {venv} && {venv}/bin/pip install -r {requirements}\n")
    sys.exit(exit_code)


def fail(text):
    """Ends the script with one line that says what is wrong and what would do."""
    sys.stderr.write(f"{pathlib.Path(sys.argv[0]).name}: {text}\n")
    sys.exit(2)
