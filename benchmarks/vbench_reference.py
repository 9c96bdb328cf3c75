#!/usr/bin/env python3
"""Six dimensions of VBench of one video, by the Python package vbench, on random weights of the official sizes.

    vbench_reference.py weights FOLDER           writes the files of weights that both sides read
    vbench_reference.py run FOLDER VIDEO NAME... measures; prints JSON: scores, seconds, peak memory

Needs torch, torchvision, timm, open_clip_torch, pyiqa and vbench 0.1.5 (both --no-deps), decord,
opencv-python-headless, easydict, imageio, omegaconf, tqdm. Dimensions are computed one after the other in one process,
as `vbench evaluate` does it, by the functions of the package; only models that it would fetch are made here, from the
same files that svi-eval reads.
"""
import importlib
import importlib.util
import json
import os
import pathlib
import resource
import sys
import time
import types

import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "vision")]
from hashed_weights import fill  # noqa: E402

FILES = {"dino": "dino.pth", "clip_b32": "clip_b32.pth", "clip_l14": "clip_l14.pth", "musiq": "musiq.pth",
         "raft": "raft.pth", "amt": "amt.pth", "head": "head.pth"}


def stand_in(name, **parts):
    """A module that is not installed, or whose own __init__ is not to be run."""
    module = types.ModuleType(name)
    vars(module).update(parts)
    sys.modules[name] = module
    return module


def package():
    """The package vbench without what it imports for other dimensions."""
    folder = pathlib.Path(importlib.util.find_spec("vbench").origin).parent
    stand_in("vbench").__path__ = [str(folder)]
    stand_in("clip")
    return folder


def dino():
    """timm's ViT-B/16 with the positions of DINO's code: resized by scale factors with a tenth of a patch more."""
    import timm

    class Dino(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = timm.create_model("vit_base_patch16_224", pretrained=False, num_classes=0)

        def forward(self, frames):
            net = self.net
            x = torch.nn.functional.conv2d(frames, net.patch_embed.proj.weight, net.patch_embed.proj.bias, stride=16)
            square = net.pos_embed[:, 1:].reshape(1, 14, 14, -1).permute(0, 3, 1, 2)
            factors = tuple((side + 0.1) / 14 for side in x.shape[-2:])
            square = torch.nn.functional.interpolate(square, scale_factor=factors, mode="bicubic")
            x = (x + square).flatten(2).transpose(1, 2)
            first = (net.cls_token + net.pos_embed[:, :1]).expand(len(x), -1, -1)
            return net.norm(net.blocks(torch.cat([first, x], 1)))[:, 0]

    return Dino()


def clip_tower(kind):
    import open_clip
    return open_clip.create_model(f"{kind}-quickgelu", pretrained=None)


def musiq():
    from make_musiq_fixtures import load_musiq
    return load_musiq()(pretrained=False, num_class=1)


def raft():
    import argparse
    options = argparse.Namespace(small=False, mixed_precision=False, alternate_corr=False, dropout=0)
    return importlib.import_module("vbench.third_party.RAFT.core.raft").RAFT(options)


def amt():
    return importlib.import_module("vbench.third_party.amt.networks.AMT-S").Model()


def visual(model):
    return {name: value for name, value in model.state_dict().items() if name.startswith("visual.")}


def write_weights(folder):
    package()
    folder.mkdir(parents=True, exist_ok=True)
    save = {"dino": lambda: fill(dino().net).state_dict(),
            "clip_b32": lambda: visual(fill(clip_tower("ViT-B-32"))),
            "clip_l14": lambda: visual(fill(clip_tower("ViT-L-14"))),
            "musiq": lambda: {"params": fill(musiq()).state_dict()},
            "raft": lambda: {f"module.{name}": value for name, value in fill(raft()).state_dict().items()},
            "amt": lambda: {"state_dict": fill(amt()).state_dict()},
            "head": lambda: fill(torch.nn.Linear(768, 1)).state_dict()}
    for name, make in save.items():
        if not (folder / FILES[name]).exists():
            torch.save(make(), folder / FILES[name])


def load(model, path, key=None):
    state = torch.load(path, map_location="cpu")
    model.load_state_dict(state[key] if key else state)
    return model.eval()


def load_dino(path):
    model = dino()
    load(model.net, path)
    return model.eval()


def load_tower(kind, path):
    model = clip_tower(kind)
    model.load_state_dict(torch.load(path, map_location="cpu"), strict=False)  # the text tower is not used
    return model.eval()


def measures(folder, video):
    """Each dimension as a function that gives its score."""
    home = package()
    module = importlib.import_module

    def imaging_quality():
        net = load(musiq(), folder / FILES["musiq"], "params")  # before the package looks for pyiqa
        return module("vbench.imaging_quality").technical_quality(net, [video], "cpu")[0]

    def dynamic_degree():
        from easydict import EasyDict
        part = module("vbench.dynamic_degree")
        options = EasyDict({"model": str(folder / FILES["raft"]), "small": False, "mixed_precision": False,
                            "alternate_corr": False})
        return part.dynamic_degree(part.DynamicDegree(options, "cpu"), [video])[0]

    def motion_smoothness():
        part = module("vbench.motion_smoothness")
        config = home / "third_party" / "amt" / "cfgs" / "AMT-S.yaml"
        return part.motion_smoothness(part.MotionSmoothness(config, folder / FILES["amt"], "cpu"), [video])[0]

    def aesthetic_quality():
        head = load(torch.nn.Linear(768, 1), folder / FILES["head"])
        tower = load_tower("ViT-L-14", folder / FILES["clip_l14"])
        return module("vbench.aesthetic_quality").laion_aesthetic(head, tower, [video], "cpu")[0]

    return {
        "subject_consistency": lambda: module("vbench.subject_consistency").subject_consistency(
            load_dino(folder / FILES["dino"]), [video], "cpu", False)[0],
        "background_consistency": lambda: module("vbench.background_consistency").background_consistency(
            load_tower("ViT-B-32", folder / FILES["clip_b32"]), None, [video], "cpu", False)[0],
        "aesthetic_quality": aesthetic_quality,
        "imaging_quality": imaging_quality,
        "dynamic_degree": dynamic_degree,
        "motion_smoothness": motion_smoothness,
    }


def main():
    folder = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "weights":
        write_weights(folder)
        return
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    all_measures = measures(folder, sys.argv[3])
    sys.stdout, answer = sys.stderr, sys.stdout  # the package prints
    scores, seconds = {}, {}
    begin = time.monotonic()
    for name in sys.argv[4:]:
        before = time.monotonic()
        scores[name] = float(all_measures[name]())
        seconds[name] = time.monotonic() - before
    print(json.dumps({"scores": scores, "seconds_each": seconds, "seconds": time.monotonic() - begin,
                      "cpu_seconds": time.process_time(), "torch": torch.__version__,
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), file=answer)


if __name__ == "__main__":
    main()
