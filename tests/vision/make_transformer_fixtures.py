#!/usr/bin/env python3
"""Writes tests/data/vision/transformers.safetensors and the manifests of the official transformers beside it.

Needs torch, timm, transformers and safetensors; not part of the build. Weights are hashed by name, so only the answers
are stored: DINO and DINOv2 by timm's vision transformer with the positions that the official code would make (a bicubic
resize by scale factors with 0.1 more patches; written here in plain torch), CLIP by transformers' tower.
"""
import pathlib
import re
import sys

import timm
import torch
import transformers
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "vision"
sys.path.insert(0, str(ROOT / "tests" / "support"))
from hashed_weights import fill, hashed, hashed_weight  # noqa: E402


class Dino:
    """timm's network on positions made by the rule of the official code; heads are 64 wide."""

    def __init__(self, width, depth, patch, grid, v2=False):
        self.patch, self.grid = patch, grid
        self.net = VisionTransformer(img_size=grid * patch, patch_size=patch, embed_dim=width, depth=depth,
                                     num_heads=width // 64, num_classes=0, global_pool="token",
                                     init_values=1e-5 if v2 else None)
        fill(self.net)

    def positions(self, height, width):
        table, grid = self.net.pos_embed, self.grid
        rows, columns = height // self.patch, width // self.patch
        if rows * columns == grid * grid and height == width:
            return table
        square = table[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
        square = torch.nn.functional.interpolate(square, scale_factor=((rows + 0.1) / grid, (columns + 0.1) / grid),
                                                 mode="bicubic")
        assert square.shape[-2:] == (rows, columns)
        return torch.cat([table[:, :1], square.flatten(2).transpose(1, 2)], 1)

    @torch.no_grad()
    def before_norm(self, frames):
        # Official networks cut what is over at the border by a convolution without padding.
        proj = self.net.patch_embed.proj
        x = torch.nn.functional.conv2d(frames, proj.weight, proj.bias, stride=self.patch).flatten(2).transpose(1, 2)
        x = torch.cat([self.net.cls_token.expand(len(x), -1, -1), x], 1) + self.positions(*frames.shape[-2:])
        return self.net.blocks(x)[:, 0].contiguous()

    @torch.no_grad()
    def __call__(self, frames):
        return self.net.norm(self.before_norm(frames)).contiguous()


def clip_name(name):
    """OpenAI's name for a tensor of transformers' tower, or None for one of q, k, v."""
    name = name.removeprefix("vision_model.")
    name = re.sub(r"^encoder\.layers\.(\d+)\.", r"transformer.resblocks.\1.", name)
    for theirs, ours in (("embeddings.class_embedding", "class_embedding"), ("embeddings.patch_embedding", "conv1"),
                         ("embeddings.position_embedding.weight", "positional_embedding"), ("pre_layrnorm", "ln_pre"),
                         ("post_layernorm", "ln_post"), ("self_attn.", "attn."), ("layer_norm1", "ln_1"),
                         ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
                         ("visual_projection.weight", "proj")):
        name = name.replace(theirs, ours)
    return "visual." + name


def clip_net(width, depth, patch, side, out, act):
    config = transformers.CLIPVisionConfig(hidden_size=width, intermediate_size=4 * width, projection_dim=out,
                                           num_hidden_layers=depth, num_attention_heads=width // 64, image_size=side,
                                           patch_size=patch, hidden_act=act)
    return transformers.CLIPVisionModelWithProjection(config)


def clip_shapes(net):
    """OpenAI's names and shapes of a tower: q, k and v lie in one tensor, the projection is turned."""
    shapes = {}
    for name, tensor in net.state_dict().items():
        name, sizes = clip_name(name), list(tensor.shape)
        if name.endswith("position_ids"):
            continue
        part = re.search(r"attn\.([qkv])_proj\.", name)
        if part:
            name = name.replace(f"{part[1]}_proj.", "in_proj_")
            sizes[0] *= 3
        shapes[name] = sizes[::-1] if name == "visual.proj" else sizes
    return shapes


class ClipFromOpenAi:
    """transformers' tower on weights hashed by OpenAI's names."""

    def __init__(self, width, depth, patch, side, out, act):
        self.net = clip_net(width, depth, patch, side, out, act)
        weights = {name: hashed_weight(name, sizes) for name, sizes in clip_shapes(self.net).items()}
        state = {}
        for name, tensor in self.net.state_dict().items():
            ours = clip_name(name)
            part = re.search(r"attn\.([qkv])_proj\.", ours)
            if ours.endswith("position_ids"):
                state[name] = tensor
            elif part:
                fused = weights[ours.replace(f"{part[1]}_proj.", "in_proj_")]
                at = "qkv".index(part[1]) * width
                state[name] = fused[at:at + width]
            else:
                state[name] = weights[ours].t() if ours == "visual.proj" else weights[ours]
        self.net.load_state_dict(state)
        self.net.eval()

    @torch.no_grad()
    def __call__(self, frames):
        return self.net(pixel_values=frames).image_embeds.contiguous()


def manifest(name, shapes):
    lines = [f"{key}\t{','.join(map(str, sizes))}\n" for key, sizes in sorted(shapes.items())]
    (DATA / f"{name}.tsv").write_text("".join(lines))


def main():
    out = {}
    small, second = Dino(128, 3, 8, 5), Dino(64, 2, 14, 7, v2=True)
    for height, width in ((40, 40), (40, 75), (61, 33)):
        frames = hashed("frames", (2, 3, height, width))
        out[f"dino.{height}x{width}"] = small(frames)
        out[f"dino.{height}x{width}.before"] = small.before_norm(frames)
    for height, width in ((98, 98), (56, 56), (70, 112)):
        out[f"dinov2.{height}x{width}"] = second(hashed("frames", (2, 3, height, width)))
    out["dino.official"] = Dino(768, 12, 16, 14)(hashed("frames", (2, 3, 64, 112)))
    out["dinov2.official"] = Dino(768, 12, 14, 37, v2=True)(hashed("frames", (2, 3, 56, 70)))
    for name, sizes in (("quick", (128, 3, 8, 40, 96, "quick_gelu")), ("exact", (64, 2, 14, 56, 32, "gelu")),
                        ("b32", (768, 12, 32, 224, 512, "quick_gelu"))):
        out[f"clip.{name}"] = ClipFromOpenAi(*sizes)(hashed("frames", (2, 3, sizes[3], sizes[3])))
    save_file(out, DATA / "transformers.safetensors")
    with torch.device("meta"):
        for name, model in (("dino_vitb16", "vit_base_patch16_224.dino"), ("dinov2_vitb14", "vit_base_patch14_dinov2")):
            net = timm.create_model(model, num_classes=0)
            shapes = {key: list(tensor.shape) for key, tensor in net.state_dict().items()}
            if name == "dinov2_vitb14":
                shapes["mask_token"] = [1, 768]  # in Meta's file, not in timm's network
            manifest(name, shapes)
        manifest("clip_vit_b_32", clip_shapes(clip_net(768, 12, 32, 224, 512, "quick_gelu")))
        manifest("clip_vit_l_14", clip_shapes(clip_net(1024, 24, 14, 224, 768, "quick_gelu")))


if __name__ == "__main__":
    main()
