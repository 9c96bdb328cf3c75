#!/usr/bin/env python3
"""Writes tests/data/vision/vbench.safetensors: the scores of a hashed film by small networks of the official kinds.

Needs torch, torchvision, timm, transformers, Pillow, pyiqa and safetensors; not part of the build. Preparation is
torchvision's and Pillow's, the networks are those of make_transformer_fixtures.py, make_musiq_fixtures.py and
make_dreamsim_fixtures.py beside the tests of networks; the scores are written here in plain torch.
"""
import pathlib
import sys

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
    text = (ROOT / "plugins" / "vbench" / "long_tables.hpp").read_text()
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
    save_file({name: value.contiguous() for name, value in out.items()}, ROOT / "tests/data/vision/vbench.safetensors")
    for name, value in out.items():
        print(name, value.tolist())


if __name__ == "__main__":
    main()
