#!/usr/bin/env python3
"""Writes tests/data/vision/i3d.safetensors and i3d_tensors.tsv: I3D and its preparation of frames as cd-fvd has them.

Oracle: cd-fvd 0.1.1 from PyPI (its InceptionI3d, preprocess_i3d and FeatureStats), on hashed weights. The preparation
of common_metrics is an independent plain implementation in NumPy, from a description of it.
Needs the oracle environment (torch, cd-fvd, einops, scipy, safetensors).
"""
import importlib.util
import math
import pathlib
import sys
import types

import numpy
import torch
from safetensors.torch import save_file
from scipy.linalg import sqrtm

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "support"))
from hashed_weights import fill, hashed  # noqa: E402

OUT = TESTS / "data" / "vision"


def package():
    """cdfvd without its __init__, which imports what is not needed here."""
    found = types.ModuleType("cdfvd")
    found.__path__ = list(importlib.util.find_spec("cdfvd").submodule_search_locations)
    sys.modules["cdfvd"] = found


def cd_fvd_frames(levels):
    """Levels [3, H, W] through the package's own preprocess_i3d."""
    clip = levels.byte().permute(1, 2, 0)[None, None].numpy()
    return importlib.import_module("cdfvd.third_party.i3d.utils").preprocess_i3d(clip)[0, :, 0]


def plain_bilinear(x, size):
    """Two taps on each axis, centres of pixels at halves; x [3, H, W] fp64."""
    for axis, length in ((1, size[0]), (2, size[1])):
        place = numpy.maximum((numpy.arange(length) + 0.5) * x.shape[axis] / length - 0.5, 0)
        low = numpy.minimum(place.astype(int), x.shape[axis] - 1)
        high = numpy.minimum(low + 1, x.shape[axis] - 1)
        part = (place - low).reshape([-1 if a == axis else 1 for a in range(3)])
        x = numpy.take(x, low, axis) * (1 - part) + numpy.take(x, high, axis) * part
    return x


def common_metrics_frames(levels):
    x = levels.double().numpy() / 255
    h, w = x.shape[1:]
    scale = 224 / min(h, w)
    size = (224, math.ceil(w * scale)) if h < w else (math.ceil(h * scale), 224)
    x = plain_bilinear(x, size)
    top, left = (size[0] - 224) // 2, (size[1] - 224) // 2
    return torch.from_numpy((x[:, top:top + 224, left:left + 224] - 0.5) * 2).float()


def main():
    package()
    i3d = importlib.import_module("cdfvd.third_party.i3d.pytorch_i3d").InceptionI3d(400, in_channels=3)
    lines = [f"{k}\t{' '.join(map(str, v.shape))}\n" for k, v in i3d.state_dict().items()]
    (OUT / "i3d_tensors.tsv").write_text("".join(lines))
    fill(i3d)
    content = {}
    with torch.no_grad():
        content["trunk"] = i3d(hashed("i3d.odd", [1, 3, 11, 45, 70]), return_pre_pool=True)
        content["logits"] = i3d(hashed("i3d.clip", [1, 3, 9, 224, 200]))
    for name, (h, w) in {"wide": (37, 61), "tall": (300, 231)}.items():
        levels = ((hashed(f"i3d.{name}", [3, h, w]) * 0.5 + 0.5) * 255).round()
        for how, frames in (("cd_fvd", cd_fvd_frames(levels)), ("common_metrics", common_metrics_frames(levels))):
            content[f"{how}.{name}"] = frames[:, ::9, ::9].contiguous()  # every ninth pixel
    sets = [hashed(f"fvd.{name}", [rows, 12]).double() * scale + shift
            for name, rows, scale, shift in (("a", 40, 1.0, 0.0), ("b", 25, 0.7, 0.3))]
    moments = []
    for rows in sets:
        stats = importlib.import_module("cdfvd.utils.metric_utils").FeatureStats(capture_mean_cov=True)
        stats.append(rows.numpy())
        moments.append(stats.get_mean_cov())
    (m, s), (n, t) = moments
    distance = ((m - n) ** 2).sum() + numpy.trace(s + t - 2 * sqrtm(s @ t).real)
    content["fvd.population"] = torch.tensor([distance], dtype=torch.float64)
    save_file(content, OUT / "i3d.safetensors")
    for key, value in content.items():
        print(key, list(value.shape), value.double().abs().mean().item())


main()
