"""Makes tests/data/vision/{raft,amt}* : what the official networks say of hashed frames, on hashed weights.

The official code is that of the package vbench 0.1.5 (pip install --no-deps vbench==0.1.5), which carries princeton-vl's
RAFT and MCG-NKU's AMT; it is only run.
"""
import argparse
import importlib
import importlib.util
import pathlib
import sys
import types

import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from hashed_weights import fill, hashed  # noqa: E402

DATA = ROOT / "tests" / "data" / "vision"


def official(module):
    """A module of the package vbench, without what vbench itself imports."""
    if "vbench" not in sys.modules:
        package = types.ModuleType("vbench")
        package.__path__ = list(importlib.util.find_spec("vbench").submodule_search_locations)
        sys.modules["vbench"] = package
    return importlib.import_module(module)


def write_list(name, model, rename=lambda tensor: tensor):
    """Names and sizes of all tensors, as the official file has them."""
    lines = [f"{rename(key)}\t{' '.join(map(str, value.shape))}\n" for key, value in model.state_dict().items()]
    (DATA / name).write_text("".join(lines))


def frame(name, height, width):
    """[1, 3, H, W] of whole levels 0..255, patches and some noise: the same as hashed_frame.hpp makes."""
    patches = hashed(name + ".patches", [1, 3, (height + 15) // 16, (width + 15) // 16])
    patches = patches.repeat_interleave(16, 2).repeat_interleave(16, 3)[:, :, :height, :width]
    return (patches * 90 + hashed(name, [1, 3, height, width]) * 20 + 128).floor()


def raft():
    options = argparse.Namespace(small=False, mixed_precision=False, alternate_corr=False, dropout=0)
    model = fill(official("vbench.third_party.RAFT.core.raft").RAFT(options))
    write_list("raft_tensors.tsv", model, lambda name: "module." + name)
    padder = official("vbench.third_party.RAFT.core.utils_core.utils").InputPadder((1, 3, 131, 150))
    first, second = padder.pad(frame("raft.first", 131, 150), frame("raft.second", 131, 150))
    with torch.no_grad():
        small, flow = model(first, second, iters=4, test_mode=True)
    print("raft", flow.shape, flow.abs().mean(), flow.abs().max(), small.abs().mean())
    save_file({"flow": flow[0, :, ::5, ::3].contiguous()}, DATA / "raft.safetensors")


def raft_of_torchvision():
    from torchvision.models.optical_flow import raft_large

    model = fill(raft_large(weights=None))
    write_list("raft_torchvision_tensors.tsv", model)
    first, second = frame("raft.first", 128, 136) / 127.5 - 1, frame("raft.second", 128, 136) / 127.5 - 1
    with torch.no_grad():
        flow = model(first, second, num_flow_updates=2)[-1]
    print("raft of torchvision", flow.shape, flow.abs().mean())
    save_file({"flow": flow[0, :, ::5, ::3].contiguous()}, DATA / "raft_torchvision.safetensors")


def amt():
    model = fill(official("vbench.third_party.amt.networks.AMT-S").Model())
    write_list("amt_tensors.tsv", model)
    with torch.no_grad():  # or most of the result would be clamped
        for layer in (model.decoder1.convblock[2], model.comb_block[2]):
            layer.weight.mul_(0.0625)
    frames = torch.cat([frame("amt.first", 134, 141), frame("amt.second", 134, 141)])
    padded = torch.nn.functional.pad(frames / 255, (1, 2, 5, 5), mode="replicate")  # its InputPadder's rule, to 144
    first, second = padded.split(1)
    with torch.no_grad():
        result = model(first, second, torch.tensor(0.5).view(1, 1, 1, 1), scale_factor=1.0, eval=True)["imgt_pred"]
    result = result[:, :, 5:-5, 1:-2]
    print("amt", result.shape, result.mean(), result.std(), (result == 0).float().mean(), (result == 1).float().mean())
    save_file({"between": result[0, :, ::3, ::3].contiguous()}, DATA / "amt.safetensors")


if __name__ == "__main__":
    raft()
    raft_of_torchvision()
    amt()
