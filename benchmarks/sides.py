"""What the comparisons of svi-eval with Python packages share: their options, running one side, and the result."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from machine import HELP, INSTRUCTIONS, describe, result_name

ROOT = pathlib.Path(__file__).resolve().parents[1]
MEASURES = ("seconds", "cpu_seconds", "peak_bytes")


def parser(text):
    """The options that all comparisons have."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    oracle = os.environ.get("SVI_ORACLE_PYTHON", cache / "svi" / "oracle-venv" / "bin" / "python")
    made.add_argument("--python", default=oracle, help="of the oracle environment (default: $SVI_ORACLE_PYTHON)")
    made.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--rounds", type=int, default=1)
    made.add_argument("--instructions", choices=INSTRUCTIONS, default="native", help=HELP)
    made.add_argument("--weights", type=pathlib.Path, default=cache / "svi" / "random_metrics",
                      help="folder of random weights, made where they are not there")
    return made


def run(command, args):
    """Output of a process, and its seconds, CPU seconds and peak memory, all from start to end."""
    env = dict(os.environ, OMP_NUM_THREADS=str(args.threads), MKL_NUM_THREADS=str(args.threads),
               **INSTRUCTIONS[args.instructions])
    begin = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), env=env, stdout=subprocess.PIPE, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed with status {status}")
    return text, {"seconds": time.monotonic() - begin, "cpu_seconds": usage.ru_utime + usage.ru_stime,
                  "peak_bytes": usage.ru_maxrss * 1024}


def alternate(ours, theirs, args):
    """Runs both sides in turn; their costs, and the last output of the package's."""
    costs = {"svi": [], "package": []}
    for _ in range(args.rounds):
        costs["svi"].append(run(ours, args)[1])
        text, cost = run(theirs, args)
        costs["package"].append(cost)
    return costs, json.loads(text.strip().splitlines()[-1])


def write(name, question, costs, facts, args):
    """The result as JSON, with ratios of svi to the package."""
    ratios = {key: statistics.median(r[key] for r in costs["svi"]) / statistics.median(r[key] for r in costs["package"])
              for key in MEASURES}
    result = {"question": question, **describe(args.instructions), "threads": args.threads, "rounds": args.rounds, **facts,
              **costs, "ratios": ratios}
    target = ROOT / "benchmarks" / "results" / result_name(name, args.instructions)
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(facts, indent=2))
    print(", ".join(f"{key} {value:.2f}" for key, value in ratios.items()) + f" of the package's; written to {target}")
