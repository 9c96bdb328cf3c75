#!/usr/bin/env python3
"""Frechet video distance of two folders of clips by the Python package cd-fvd, on random weights of I3D.

    fvd_reference.py weights FOLDER              writes the file of weights that both sides read
    fvd_reference.py run FOLDER FAKE REAL FRAMES measures; prints JSON

Needs torch, cd-fvd 0.1.1 (--no-deps) with einops, numpy, scipy and tqdm, and decord. Preparation, network, moments and
distance are the package's own functions; clips are read by decord, one batch of 8 at a time.
"""
import importlib
import importlib.util
import json
import os
import pathlib
import sys

import numpy
import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from hashed_weights import fill  # noqa: E402
from vbench_reference import stand_in  # noqa: E402

FILE = "i3d.pt"
BATCH = 8


def package(name):
    """A module of cd-fvd without the package's own __init__, which imports other models."""
    if "cdfvd" not in sys.modules:
        home = importlib.util.find_spec("cdfvd").submodule_search_locations
        stand_in("cdfvd").__path__ = list(home)
    return importlib.import_module(f"cdfvd.{name}")


def moments(net, folder, frames):
    from decord import VideoReader

    stats = package("utils.metric_utils").FeatureStats(capture_mean_cov=True)
    files = sorted(pathlib.Path(folder).glob("*.mp4"))
    for first in range(0, len(files), BATCH):
        clips = numpy.stack([VideoReader(str(file)).get_batch(range(frames)).asnumpy() for file in files[first:first + BATCH]])
        with torch.no_grad():
            stats.append(net(package("third_party.i3d.utils").preprocess_i3d(clips)).numpy())
    return stats.get_mean_cov()


def main():
    net = package("third_party.i3d.pytorch_i3d").InceptionI3d(400, in_channels=3).eval()
    file = pathlib.Path(sys.argv[2], FILE)
    if sys.argv[1] == "weights":
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            torch.save(fill(net).state_dict(), file)
        return
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    net.load_state_dict(torch.load(file, map_location="cpu"))
    (fake_mean, fake), (real_mean, real) = (moments(net, folder, int(sys.argv[5])) for folder in sys.argv[3:5])
    from scipy.linalg import sqrtm
    distance = ((fake_mean - real_mean) ** 2).sum() + numpy.trace(fake + real - 2 * sqrtm(fake @ real).real)
    print(json.dumps({"fvd": float(distance), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
