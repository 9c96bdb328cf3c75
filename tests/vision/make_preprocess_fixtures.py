#!/usr/bin/env python3
"""Writes tests/data/vision/preprocess.safetensors: what torchvision and Pillow make of hashed frames.

Needs torch, torchvision, Pillow and safetensors; not part of the build. A tensor's name tells what was done:
OPERATION.INPUT_HEIGHTxINPUT_WIDTH.TYPE.ARGUMENTS. Large results are thinned out: every 53rd value is kept.
"""
import pathlib
import sys

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from hashed_weights import hashed  # noqa: E402

THIN = 53
SIZES = [(30, 52), (52, 30), (33, 33), (9, 17), (64, 47), (13, 90)]
MODES = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


def levels(height, width):
    """Whole numbers 0 .. 255; [2, 3, H, W] fp32."""
    return ((hashed(f"{height}x{width}", (2, 3, height, width)) + 1) * 127.5).round()


def main():
    out = {}
    for height, width in SIZES:
        frames = levels(height, width)
        for mode, interpolation in MODES.items():
            for antialias in (False, True):
                for kind, x in (("float", frames), ("byte", frames.byte())):
                    for name, size in (("short24", 24), ("short45", 45), ("exact", (21, 38))):
                        y = Resize(size, interpolation, antialias=antialias)(x)
                        key = f"resize.{height}x{width}.{kind}.{mode}.{'aa' if antialias else 'no'}.{name}"
                        out[key] = y.flatten()[::THIN].contiguous()
                        out[key + ".size"] = torch.tensor(y.shape[-2:], dtype=torch.int32)
            picture = Image.fromarray(frames[0].byte().permute(1, 2, 0).numpy())
            for target in ((24, 41), (12, 60), (70, 25)):
                method = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}[mode]
                # Pillow 13 begins with the axis that leaves less; those before, which VBench ran on, with rows.
                small = numpy.asarray(picture.resize((target[1], height), method).resize((target[1], target[0]), method))
                y = torch.from_numpy(small.copy()).permute(2, 0, 1)
                out[f"pillow.{height}x{width}.{mode}.{target[0]}x{target[1]}"] = y.flatten()[::THIN].contiguous()
        for side in (8, 31, 32, 50):
            y = CenterCrop(side)(frames.byte())
            out[f"crop.{height}x{width}.{side}"] = y.flatten()[::THIN].contiguous()
    sizes = []  # of Resize(side) for many pictures: height, width, side, new height, new width
    for side in (224, 256, 336):
        for width in range(225, 2000, 61):
            for height in (176, 240, 480, 481, 719, 720, 1080):
                y = Resize(side, antialias=False)(torch.empty(1, height, width, device="meta"))
                sizes.append([height, width, side, *y.shape[-2:]])
    out["sizes"] = torch.tensor(sizes, dtype=torch.int16)
    save_file(out, ROOT / "tests" / "data" / "vision" / "preprocess.safetensors")


if __name__ == "__main__":
    main()
