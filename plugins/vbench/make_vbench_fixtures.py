#!/usr/bin/env python3
"""Writes tests/data/vision/vbench.safetensors: the scores of a hashed film by small networks of the official kinds.

Needs torch, torchvision, timm, transformers, Pillow, pyiqa and safetensors; not part of the build. Preparation is
torchvision's and Pillow's, the networks are those of make_transformer_fixtures.py and make_musiq_fixtures.py beside the
tests of networks; the scores are written here in plain torch. Where the package vbench 0.1.5 is installed (--no-deps),
its own functions are run on the same networks, and must agree.
"""
import importlib
import importlib.util
import pathlib
import sys
import tempfile
import types

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import cosine_similarity, normalize
from torchvision.transforms import CenterCrop, InterpolationMode, Normalize, Resize

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "vision"), str(ROOT / "tests" / "support")]
from hashed_weights import fill, hashed  # noqa: E402
from make_transformer_fixtures import ClipFromOpenAi, Dino  # noqa: E402

BICUBIC = InterpolationMode.BICUBIC
IMAGENET = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def film(frames, height, width):
    """Levels 0 .. 255 that change a lot from frame to frame; [T, 3, H, W]."""
    noise = hashed("noise", (3, frames, height, width))
    shades = hashed("shades", (3, frames, 1, 1))
    return (127.5 + 60 * noise + 60 * shades).round().transpose(0, 1).contiguous()


def pair(a, b):
    return max(0.0, cosine_similarity(a[None], b[None]).item())


def consistency(features):
    """Of each frame but the first."""
    f = normalize(features, dim=-1, p=2)
    return torch.tensor([(pair(f[i - 1], f[i]) + pair(f[0], f[i])) / 2 for i in range(1, len(f))], dtype=torch.float64)


def interpolated(table, x):
    return float(numpy.interp(x, numpy.arange(101) / 100, table))


def tables():
    """The two tables as the header has them."""
    text = (ROOT / "plugins" / "vbench" / "long" / "long_tables.hpp").read_text()
    out = {}
    for name in ("kSubjectTable", "kBackgroundTable"):
        body = text[text.index(name):]
        body = body[body.index("= {") + 3:body.index("};")]
        out[name] = [float(number) for number in body.replace("\n", " ").split(",") if number.strip()]
        assert len(out[name]) == 101
    return out


def long_score(features, first_features, length, table):
    """Clips one after the other, the last one moved back where it is incomplete."""
    count = len(features)
    starts = list(range(0, count - length + 1, length)) or [0]
    if count > length and count % length:
        starts.append(count - length)
    clips = [consistency(features[s:s + length]).mean().item() for s in starts]
    inside = sum(clips) / len(clips)
    if len(starts) == 1:
        return [inside, inside, float("nan"), 1]
    between = consistency(torch.stack([first_features[s] for s in starts])).mean().item()
    mapped = interpolated(table, between)
    fused = [0.5 * clip + 0.5 * mapped for clip in clips]
    return [sum(fused) / len(fused), inside, between, len(clips)]


def i2v(reference, features):
    f = normalize(features, dim=-1, p=2)
    r = normalize(reference, dim=-1, p=2)
    near = [pair(r, x) for x in f]
    steps = [pair(f[i - 1], f[i]) for i in range(1, len(f))]
    return 0.4 * max(near) + 0.3 * sum(steps) / len(steps) + 0.3 * min(steps)


class Upstream:
    """Functions of the package vbench on films in memory; what it would import for files and models is stood in for."""

    def __init__(self):
        for name, parts in {"cv2": "", "clip": "", "decord": "VideoReader cpu", "dreamsim": "dreamsim",
                            "scenedetect": "open_video SceneManager split_video_ffmpeg",
                            "scenedetect.detectors": "ContentDetector",
                            "scenedetect.video_splitter": "split_video_ffmpeg", "moviepy": "",
                            "moviepy.editor": "VideoFileClip"}.items():
            sys.modules[name] = types.ModuleType(name)
            for part in parts.split():
                setattr(sys.modules[name], part, None)
        package = types.ModuleType("vbench2_beta_long")  # whose own __init__ is not run
        package.__path__ = [str(pathlib.Path(importlib.util.find_spec("vbench").origin).parents[1] / package.__name__)]
        sys.modules[package.__name__] = package
        import torchvision.io
        if not hasattr(torchvision.io, "write_video"):
            torchvision.io.write_video = None

    def module(self, name, frames):
        module = importlib.import_module(name)
        module.load_video = lambda path, *rest, **more: frames
        return module

    def fused(self, within, between, dimension):
        """Upstream's fusion of clips' values, on our tables: the package lacks its own."""
        utils = self.module("vbench2_beta_long.utils", None)
        kind, postfix = dimension.split("_")[0], {"subject_consistency": "sb", "background_consistency": "bg"}[dimension]
        table = tables()[f"k{kind.capitalize()}Table"]
        clips = [{"video_path": "a.mp4", "video_results": value} for value in within]
        with tempfile.TemporaryDirectory() as folder:
            weights, mapping = pathlib.Path(folder, "weights.yaml"), pathlib.Path(folder, "table.yaml")
            weights.write_text("".join(f"w_{part}_{postfix}: 0.5\n" for part in ("inclip", "clip2clip")))
            mapping.write_text("".join(f"{i / 100}: {value!r}\n" for i, value in enumerate(table)))
            settings = {"slow_fast_eval_config": weights, "dev_flag": True, f"{postfix}_mapping_file_path": mapping}
            return utils.fuse_inclip_clip2clip(0, 0, clips, [{"video_path": "a.mp4", "video_results": between}],
                                               dimension, **settings)[0]


class Tower(torch.nn.Module):
    """What upstream calls of CLIP."""

    def __init__(self, clip):
        super().__init__()
        self.encode_image = clip


def check_upstream(out, frames, dino, dinov2, clip, head, musiq, large, picture):
    """The scores of the package vbench itself."""
    up = Upstream()

    def agree(name, mine, theirs, tolerance=2e-6):
        print(f"upstream {name}: {theirs:.9f}, here {mine:.9f}")
        assert abs(mine - theirs) < tolerance, name

    few = frames[:7]
    # Without `antialias` the installed torchvision smooths; VBench's own transforms say so where it must not.
    theirs, _ = up.module("vbench.subject_consistency", few).subject_consistency(dino, ["a"], "cpu", False)
    agree("subject", out["subject_consistency"].mean().item(), theirs)
    theirs, _ = up.module("vbench.background_consistency", few).background_consistency(Tower(clip), None, ["a"], "cpu", False)
    agree("background", out["background_consistency"].mean().item(), theirs)
    linear = torch.nn.Linear(768, 1)
    linear.load_state_dict(head)
    theirs, _ = up.module("vbench.aesthetic_quality", few).laion_aesthetic(linear, Tower(clip), ["a"], "cpu")
    agree("aesthetic", out["aesthetic_quality"].mean().item(), theirs)
    theirs, _ = up.module("vbench.imaging_quality", large).technical_quality(musiq, ["a"], "cpu")
    agree("imaging", out["imaging_quality.longer"].mean().item(), theirs)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/image.png"
        picture.save(path)
        module = up.module("vbench2_beta_i2v.i2v_subject", frames[:5])
        theirs, _ = module.i2v_subject(dino, [(path, "a")], "cpu")
    agree("i2v_subject", out["i2v_subject.image"].item(), float(theirs))
    module = up.module("vbench2_beta_long.subject_consistency", frames[[0, 8, 12]])
    between, _ = module.subject_consistency_dinov2(dinov2, ["a"], "cpu", False)
    agree("long clip to clip", out["long_subject"][2].item(), between)
    within = []
    for start in (0, 8, 12):
        clip_frames = frames[start:start + 8]
        within.append(up.module("vbench.subject_consistency", clip_frames).subject_consistency(dino, ["a"], "cpu", False)[0])
    agree("long", out["long_subject"][0].item(), up.fused(within, between, "subject_consistency"))
    values = tables()
    for name, dimension in (("kSubjectTable", "subject_consistency"), ("kBackgroundTable", "background_consistency")):
        for x in (0.001, 0.015, 0.5, 0.5049, 0.87, 0.999, 1.0):
            agree(f"{name} at {x}", 0.5 * interpolated(values[name], x), up.fused([0.0], x, dimension), 1e-12)


@torch.no_grad()
def main():
    frames = film(20, 36, 52)
    out = {}
    dino, dinov2 = Dino(64, 1, 16, 14), Dino(64, 1, 14, 16, v2=True)
    whole = dino(IMAGENET(Resize(224, antialias=False)(frames) / 255))
    middle = IMAGENET(CenterCrop(224)(Resize(256, BICUBIC, antialias=True)(frames)) / 255)
    out["subject_consistency"] = consistency(whole[:7])
    out["long_subject"] = torch.tensor(long_score(whole, dinov2(middle), 8, tables()["kSubjectTable"]),
                                       dtype=torch.float64)
    out["long_subject.short"] = torch.tensor(long_score(whole[:7], dinov2(middle[:7]), 8, tables()["kSubjectTable"]),
                                             dtype=torch.float64)
    picture = film(1, 90, 70)[0].byte()
    image = Image.fromarray(picture.permute(1, 2, 0).numpy())
    prepared = torch.from_numpy(numpy.asarray(CenterCrop(224)(Resize(256, BICUBIC)(image))).copy()).permute(2, 0, 1)
    reference = dino(IMAGENET(prepared[None] / 255))[0]
    out["i2v_subject.image"] = torch.tensor(i2v(reference, dino(middle[:5])), dtype=torch.float64)
    out["i2v_subject.first"] = torch.tensor(i2v(dino(middle[:1])[0], dino(middle[:5])), dtype=torch.float64)
    small = ClipFromOpenAi(64, 1, 32, 224, 768, "quick_gelu")
    clip = small(CLIP(CenterCrop(224)(Resize(224, BICUBIC, antialias=False)(frames[:7])) / 255))
    out["background_consistency"] = consistency(clip)
    head = torch.load(ROOT / "tests" / "data" / "golden" / "sa_0_4_vit_l_14_linear.pth", weights_only=True)
    scores = normalize(clip, dim=-1, p=2) @ head["weight"].t() + head["bias"]
    out["aesthetic_quality"] = scores.flatten().double() / 10
    from make_musiq_fixtures import load_musiq
    musiq = fill(load_musiq()(pretrained=False, num_class=1, num_layers=1, hidden_size=64, num_heads=1, mlp_dim=96))
    large = film(2, 120, 561)
    out["imaging_quality.longer"] = musiq(Resize((int(512 / 561 * 120), int(512 / 561 * 561)), antialias=False)(large) / 255)
    out["imaging_quality.none"] = musiq(large / 255)
    tall = film(1, 530, 540)
    shorter = Resize((int(512 / 530 * 530), int(512 / 530 * 540)), antialias=False)(tall)
    out["imaging_quality.shorter"] = musiq(shorter / 255)
    out["imaging_quality.shorter_centercrop"] = musiq(CenterCrop(512)(shorter) / 255)
    for name in list(out):
        if name.startswith("imaging"):
            out[name] = out[name].flatten().double() / 100
    if importlib.util.find_spec("vbench"):
        check_upstream(out, frames, dino, dinov2, small, head, musiq, large, image)
    save_file({name: value.contiguous() for name, value in out.items()}, ROOT / "tests/data/vision/vbench.safetensors")
    for name, value in out.items():
        print(name, value.tolist())


if __name__ == "__main__":
    main()
