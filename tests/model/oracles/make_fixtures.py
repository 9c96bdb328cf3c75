#!/usr/bin/env python3
"""Writes tests/data/model/: what diffusers' Wan transformer and peft's LoRA compute with random weights.

Needs the oracle environment of tools/setup (torch, diffusers, peft, safetensors); not part of the build.
Tensors: `weights.*` under the official names, `input.*`, `output.v`, and for adapters `lora.*` (peft names),
`grad.*`. Run from anywhere: tests/model/oracles/make_fixtures.py
"""
import pathlib

import torch
from diffusers import WanTransformer3DModel
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "data" / "model"

RENAMES = [
    ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
    ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
    ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
    ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
    ("condition_embedder.time_proj", "time_projection.1"),
    ("condition_embedder.image_embedder.norm1", "img_emb.proj.0"),
    ("condition_embedder.image_embedder.ff.net.0.proj", "img_emb.proj.1"),
    ("condition_embedder.image_embedder.ff.net.2", "img_emb.proj.3"),
    ("condition_embedder.image_embedder.norm2", "img_emb.proj.4"),
    ("attn1.", "self_attn."),
    ("attn2.", "cross_attn."),
    (".to_q", ".q"),
    (".to_k", ".k"),
    (".to_v", ".v"),
    (".to_out.0", ".o"),
    (".add_k_proj", ".k_img"),
    (".add_v_proj", ".v_img"),
    (".norm_added_k", ".norm_k_img"),
    (".norm2.", ".norm3."),
    ("ffn.net.0.proj", "ffn.0"),
    ("ffn.net.2", "ffn.2"),
    ("proj_out", "head.head"),
]


def official(name):
    """The official name of a diffusers tensor."""
    if name == "scale_shift_table":
        return "head.modulation"
    if name.endswith("scale_shift_table"):
        return name.replace("scale_shift_table", "modulation")
    for old, new in RENAMES:
        name = name.replace(old, new)
    return name


def build(seed, **sizes):
    torch.manual_seed(seed)
    model = WanTransformer3DModel(**sizes).float().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            # Every term must show in the output: no zero biases, no unit gains, no zero head.
            if name.endswith("bias"):
                p.normal_(0, 0.1)
            elif "norm" in name:
                p.normal_(1, 0.2)
            elif "table" in name:
                p.normal_(0, 0.5)
            else:
                p.normal_(0, 1.5 / p[0].numel() ** 0.5)
    return model


def inputs(seed, model, F, h, w, text_rows, noisy=16, image_tokens=0, batch=2):
    g = torch.Generator().manual_seed(seed)
    c = model.config
    given = {
        "x": torch.randn(batch, noisy, F, h, w, generator=g),
        "timestep": torch.tensor([1000.0, 357.142863][:batch]),
        "context": torch.randn(batch, text_rows, c.text_dim, generator=g),
    }
    if c.in_channels > noisy:
        given["y"] = torch.randn(batch, c.in_channels - noisy, F, h, w, generator=g)
    if image_tokens:
        given["clip_fea"] = torch.randn(batch, image_tokens, c.image_dim, generator=g)
    return given


def run(model, given):
    x = torch.cat([given["x"], given["y"]], 1) if "y" in given else given["x"]
    time = given["timestep"]
    if time.dim() == 2:  # diffusers takes a time per token: [B, F] to [B, L], tokens of a frame together
        time = time.repeat_interleave(x.shape[3] * x.shape[4] // 4, dim=1)
    return model(x, time, given["context"], given.get("clip_fea"), return_dict=False)[0]


def save(name, heads, tensors):
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.safetensors"
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path, {"heads": str(heads)})
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")


def forward_fixture(name, seed, *, F, h, w, text_rows, noisy=16, image_tokens=0, **sizes):
    model = build(seed, **sizes)
    given = inputs(seed + 1, model, F, h, w, text_rows, noisy, image_tokens)
    with torch.no_grad():
        v = run(model, given)
    tensors = {f"weights.{official(k)}": t for k, t in model.state_dict().items()}
    tensors |= {f"input.{k}": t for k, t in given.items()} | {"output.v": v}
    save(name, sizes["num_attention_heads"], tensors)


def lora_fixture(name, seed):
    """LoRA on every linear of the blocks: forward, and gradients of A and B for loss = sum(v * r)."""
    sizes = dict(SMALL, in_channels=8, out_channels=4, num_layers=1, ffn_dim=32)
    model = build(seed, **sizes)
    given = inputs(seed + 1, model, 2, 4, 6, 5, noisy=4)
    plain = {f"weights.{official(k)}": t.clone() for k, t in model.state_dict().items()}
    targets = ["to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2"]
    config = LoraConfig(r=4, lora_alpha=6, target_modules=targets, bias="none")
    model.requires_grad_(False)
    model = inject_adapter_in_model(config, model)
    g = torch.Generator().manual_seed(seed + 2)
    for key, p in model.named_parameters():
        if "lora_" in key:
            p.data = torch.randn(p.shape, generator=g) * 0.3
            p.requires_grad_(True)
    v = run(model, given)
    r = torch.randn(v.shape, generator=g)
    (v * r).sum().backward()
    tensors = plain | {f"input.{k}": t for k, t in given.items()} | {"input.r": r, "output.v": v}
    for key, p in model.named_parameters():
        if "lora_" in key:
            short = official(key).replace(".default", "")
            tensors[f"lora.base_model.model.{short}"] = p.data
            tensors[f"grad.base_model.model.{short}"] = p.grad
    expected = {k.replace(".default", "") for k in get_peft_model_state_dict(model)}
    assert len(expected) == sum(k.startswith("lora.") for k in tensors)
    save(name, sizes["num_attention_heads"], tensors)


def pretrain_fixture(name, seed, frame_time=False):
    """Gradients of every weight for loss = sum(v * r); with `frame_time` each latent frame has a time of its own."""
    sizes = dict(SMALL, in_channels=8, out_channels=4, num_layers=2, ffn_dim=24)
    model = build(seed, **sizes)
    F, h, w = (3, 4, 6) if frame_time else (2, 4, 6)
    given = inputs(seed + 1, model, F, h, w, 5, noisy=4)
    if frame_time:
        given["timestep"] = torch.tensor([[0.0, 412.5, 1000.0], [900.0, 1.0, 77.0]])  # [B, F]
    v = run(model, given)
    r = torch.randn(v.shape, generator=torch.Generator().manual_seed(seed + 2))
    (v * r).sum().backward()
    tensors = {f"weights.{official(k)}": t for k, t in model.state_dict().items()}
    tensors |= {f"grad.{official(k)}": p.grad for k, p in model.named_parameters()}
    tensors |= {f"input.{k}": t for k, t in given.items()} | {"input.r": r, "output.v": v}
    save(name, sizes["num_attention_heads"], tensors)


SMALL = dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=16, text_dim=12, freq_dim=32,
             eps=1e-6)

if __name__ == "__main__":
    torch.set_num_threads(1)
    forward_fixture("dit_t2v", 1, F=3, h=4, w=6, text_rows=7, **SMALL, in_channels=16, out_channels=16,
                    ffn_dim=48, num_layers=2)
    forward_fixture("dit_i2v_channels", 2, F=2, h=6, w=4, text_rows=5, **SMALL, in_channels=36,
                    out_channels=16, ffn_dim=40, num_layers=2)
    # diffusers splits image from text by a fixed 512 text rows.
    forward_fixture("dit_i2v_clip", 3, F=2, h=4, w=4, text_rows=512, image_tokens=9,
                    **dict(SMALL, text_dim=4), in_channels=36, out_channels=16, ffn_dim=40, num_layers=2,
                    image_dim=20, added_kv_proj_dim=32)
    # Head width 14 splits unevenly over time, rows and columns; three heads; patches of two frames.
    forward_fixture("dit_odd", 4, F=4, h=3, w=10, text_rows=3, noisy=5,
                    **dict(SMALL, patch_size=(2, 1, 2), num_attention_heads=3, attention_head_dim=14),
                    in_channels=7, out_channels=3, ffn_dim=50, num_layers=2)
    lora_fixture("dit_lora", 5)
    pretrain_fixture("dit_grad", 6)
    pretrain_fixture("dit_frame_time", 7, frame_time=True)
