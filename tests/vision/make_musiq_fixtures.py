#!/usr/bin/env python3
"""Writes tests/data/vision/musiq.safetensors and musiq.tsv: what pyiqa's MUSIQ says of hashed pictures.

Needs torch and pyiqa (run as it is, without weights); not part of the build. Weights are hashed by name. To import the
network alone, `pip install --no-deps pyiqa` will do: the modules that its package would load are stood in for.
"""
import importlib
import pathlib
import sys
import types

import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "vision"
sys.path.insert(0, str(ROOT / "tests" / "support"))
from hashed_weights import fill, hashed  # noqa: E402


def load_musiq():
    for spec in sys.path:
        folder = pathlib.Path(spec) / "pyiqa"
        if folder.is_dir():
            break
    for name in ("pyiqa", "pyiqa.archs", "pyiqa.data", "pyiqa.utils", "pyiqa.matlab_utils"):
        module = types.ModuleType(name)  # packages whose own __init__ is not run
        module.__path__ = [str(folder / name.replace("pyiqa", "").replace(".", "/").strip("/"))]
        sys.modules[name] = module
    padding = importlib.import_module("pyiqa.matlab_utils.padding")
    sys.modules["pyiqa.matlab_utils"].ExactPadding2d = padding.ExactPadding2d
    sys.modules["pyiqa.matlab_utils"].exact_padding_2d = padding.exact_padding_2d
    return importlib.import_module("pyiqa.archs.musiq_arch").MUSIQ


def main():
    musiq = load_musiq()
    out = {}
    net = fill(musiq(pretrained=False, num_class=1, num_layers=2, hidden_size=128, num_heads=2, mlp_dim=192))
    big = fill(musiq(pretrained=False, num_class=1))
    with torch.no_grad():
        for height, width in ((295, 512), (64, 64), (100, 333), (480, 31)):
            frames = (hashed("frames", (2, 3, height, width)) + 1) / 2
            out[f"small.{height}x{width}"] = net(frames).flatten().contiguous()
        out["official.96x160"] = big((hashed("frames", (2, 3, 96, 160)) + 1) / 2).flatten().contiguous()
    save_file(out, DATA / "musiq.safetensors")
    lines = [f"{key}\t{','.join(map(str, tensor.shape))}\n" for key, tensor in sorted(big.state_dict().items())]
    (DATA / "musiq.tsv").write_text("".join(lines))
    for name, value in out.items():
        print(name, value.tolist())


if __name__ == "__main__":
    main()
