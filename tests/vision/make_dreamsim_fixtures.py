#!/usr/bin/env python3
"""Writes tests/data/vision/dreamsim.safetensors: embeddings of a small ensemble built as DreamSim builds it.

Needs torch, timm and safetensors; not part of the build. Every branch is timm's vision transformer on weights hashed by
"BRANCH.NAME"; the low-rank changes act as PEFT's layers do, beside the linear layer, and are not folded.
"""
import functools
import pathlib
import sys

import torch
from safetensors.torch import save_file
from timm.layers import QuickGELU
from timm.models.vision_transformer import VisionTransformer

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from hashed_weights import fill, hashed, hashed_weight  # noqa: E402

WIDTH, DEPTH, PATCH, GRID, OUT, RANK, ALPHA = 64, 2, 8, 3, 32, 4, 2.0
MEAN = {"dino": (0.485, 0.456, 0.406), "clip": (0.48145466, 0.4578275, 0.40821073)}
STD = {"dino": (0.229, 0.224, 0.225), "clip": (0.26862954, 0.26130258, 0.27577711)}


class LowRank(torch.nn.Module):
    """A linear layer and, beside it, its low-rank change."""

    def __init__(self, linear, a, b):
        super().__init__()
        self.linear, self.a, self.b = linear, a, b

    def forward(self, x):
        return self.linear(x) + ALPHA / RANK * (x @ self.a.t() @ self.b.t())


def branch(index, name, frames):
    clip = name != "dino"
    net = VisionTransformer(img_size=PATCH * GRID, patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH, num_heads=1,
                            num_classes=0, global_pool="token", act_layer=QuickGELU if name == "clip" else torch.nn.GELU,
                            norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-5 if clip else 1e-6))
    fill(net, rename=lambda key: f"{name}.{key}")
    for i, block in enumerate(net.blocks):
        key = f"extractor_list.{index}.model.blocks.{i}.attn.qkv.lora_"
        block.attn.qkv = LowRank(block.attn.qkv, hashed_weight(key + "A.weight", (RANK, WIDTH)),
                                 hashed_weight(key + "B.weight", (3 * WIDTH, RANK)))
    kind = "clip" if clip else "dino"
    x = (frames - torch.tensor(MEAN[kind]).view(3, 1, 1)) / torch.tensor(STD[kind]).view(3, 1, 1)
    x = torch.cat([net.cls_token.expand(2, -1, -1), net.patch_embed(x)], 1) + net.pos_embed
    if clip:
        before = [hashed_weight(f"{name}.pos_drop.{part}", (WIDTH,)) for part in ("weight", "bias")]
        x = torch.nn.functional.layer_norm(x, (WIDTH,), *before, eps=1e-5)
    x = net.blocks(x)
    return net.norm(x)[:, 0] @ hashed_weight(f"{name}.proj", (WIDTH, OUT)) if clip else x[:, 0]


def main():
    frames = (hashed("frames", (2, 3, PATCH * GRID, PATCH * GRID)) + 1) / 2
    with torch.no_grad():
        x = torch.cat([branch(i, name, frames) for i, name in enumerate(("dino", "clip", "open_clip"))], 1)
    x = x / x.norm(dim=1, keepdim=True)
    x = x - x.mean(1, keepdim=True)
    x = torch.nn.functional.normalize(x, dim=-1)
    save_file({"embeddings": x.contiguous()}, ROOT / "tests" / "data" / "vision" / "dreamsim.safetensors")


if __name__ == "__main__":
    main()
