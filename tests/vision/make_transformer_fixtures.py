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


def dino_answer(sizes, height, width, v2=False):
    """timm's network on positions made by the rule of the official code: after and before the last layer norm."""
    heads = sizes["embed_dim"] // 64
    patch, grid = sizes["patch_size"], sizes["grid"]
    net = VisionTransformer(img_size=grid * patch, patch_size=patch, embed_dim=sizes["embed_dim"], depth=sizes["depth"],
                            num_heads=heads, num_classes=0, global_pool="token",
                            init_values=1e-5 if v2 else None, dynamic_img_size=True)
    fill(net)
    table = hashed_weight("pos_embed", (1, 1 + grid * grid, sizes["embed_dim"]))
    rows, columns = height // patch, width // patch
    positions = table
    if not (rows * columns == grid * grid and height == width):
        square = table[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
        square = torch.nn.functional.interpolate(square, scale_factor=((rows + 0.1) / grid, (columns + 0.1) / grid),
                                                 mode="bicubic")
        assert square.shape[-2:] == (rows, columns)
        positions = torch.cat([table[:, :1], square.flatten(2).transpose(1, 2)], 1)
    frames = hashed("frames", (2, 3, height, width))
    with torch.no_grad():
        # Official networks cut what is over at the border by a convolution without padding.
        x = torch.nn.functional.conv2d(frames, net.patch_embed.proj.weight, net.patch_embed.proj.bias, stride=patch)
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([net.cls_token.expand(2, -1, -1), x], 1) + positions
        for block in net.blocks:
            x = block(x)
        return net.norm(x)[:, 0].contiguous(), x[:, 0].contiguous()


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


def clip_answer(width, depth, patch, side, out, act):
    net = clip_net(width, depth, patch, side, out, act)
    weights = {name: hashed_weight(name, sizes) for name, sizes in clip_shapes(net).items()}
    state = {}
    for name, tensor in net.state_dict().items():
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
    net.load_state_dict(state)
    with torch.no_grad():
        return net.eval()(pixel_values=hashed("frames", (2, 3, side, side))).image_embeds.contiguous()


def manifest(name, shapes):
    lines = [f"{key}\t{','.join(map(str, sizes))}\n" for key, sizes in sorted(shapes.items())]
    (DATA / f"{name}.tsv").write_text("".join(lines))


def main():
    out = {}
    small = {"embed_dim": 128, "depth": 3, "patch_size": 8, "grid": 5}
    for height, width in ((40, 40), (40, 75), (61, 33)):
        out[f"dino.{height}x{width}"], out[f"dino.{height}x{width}.before"] = dino_answer(small, height, width)
    second = {"embed_dim": 64, "depth": 2, "patch_size": 14, "grid": 7}
    for height, width in ((98, 98), (56, 56), (70, 112)):
        out[f"dinov2.{height}x{width}"], _ = dino_answer(second, height, width, v2=True)
    out["dino.official"], _ = dino_answer({"embed_dim": 768, "depth": 12, "patch_size": 16, "grid": 14}, 64, 112)
    out["dinov2.official"], _ = dino_answer({"embed_dim": 768, "depth": 12, "patch_size": 14, "grid": 37}, 56, 70, v2=True)
    out["clip.quick"] = clip_answer(128, 3, 8, 40, 96, "quick_gelu")
    out["clip.exact"] = clip_answer(64, 2, 14, 56, 32, "gelu")
    out["clip.b32"] = clip_answer(768, 12, 32, 224, 512, "quick_gelu")
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
