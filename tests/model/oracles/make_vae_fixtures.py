#!/usr/bin/env python3
"""Writes tests/data/model/vae_*.safetensors: what diffusers' AutoencoderKLWan computes with random weights.

Needs the oracle environment of tools/setup (torch, diffusers, safetensors); not part of the build.
`vae_small` holds its weights (`weights.*`, official names). `vae_deep` has the official depth, hence too many
weights to commit: both sides make them by `formula`. Then `video_T`, `latent_T` (normalised mean), `logvar_T`
and `input_T`, `decoded_T` for T pixel frames. Run from anywhere: tests/model/oracles/make_vae_fixtures.py
"""
import pathlib

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import save_file
from wan_vae_names import official

OUT = pathlib.Path(__file__).resolve().parents[2] / "data" / "model"


def formula(salt, shape):
    """A fixed hash of (salt, index) to [-1, 1), over the root of the fan-in; around 1 for a norm's gamma."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(salt * 1000003)
    bits = (index * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    bits = ((bits ^ (bits >> np.uint64(15))) * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    unit = (bits >> np.uint64(8)).astype(np.float64) / 2.0**23 - 1.0
    if len(shape) in (3, 4) and shape[1] == 1:
        values = 1.0 + unit / 4.0
    else:
        values = unit / np.sqrt(float(np.prod(shape[1:]))) if len(shape) > 1 else unit / 8.0
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def make(name, store, frames, height, width, batch, **config):
    blocks = config["num_res_blocks"] + 1
    vae = AutoencoderKLWan(latents_mean=[0.0] * config["z_dim"], latents_std=[1.0] * config["z_dim"], **config).eval()
    own = vae.state_dict()
    names = {official(key, blocks): key for key in own}
    assert len(names) == len(own)
    weights = {new: formula(salt, tuple(own[names[new]].shape)) for salt, new in enumerate(sorted(names))}
    vae.load_state_dict({names[new]: value for new, value in weights.items()})
    mean = torch.linspace(-0.4, 0.5, config["z_dim"])
    std = torch.linspace(0.5, 1.5, config["z_dim"])
    out = {"latent_mean": mean, "latent_std": std}
    if store:
        out.update({"weights." + key: value for key, value in weights.items()})
    shape = (1, config["z_dim"], 1, 1, 1)
    generator = torch.Generator().manual_seed(7)
    clamp = torch.clamp
    with torch.no_grad():
        for T in frames:
            video = torch.rand(batch, 3, T, height, width, generator=generator) * 2 - 1
            moments = vae.encode(video).latent_dist
            latent = torch.randn(moments.mean.shape, generator=generator)
            torch.clamp = lambda x, **_: x  # ours leaves clamping to the caller
            decoded = vae.decode(latent * std.view(shape) + mean.view(shape)).sample
            torch.clamp = clamp
            out[f"video_{T}"] = video
            out[f"latent_{T}"] = (moments.mean - mean.view(shape)) / std.view(shape)
            out[f"logvar_{T}"] = moments.logvar
            out[f"input_{T}"] = latent
            out[f"decoded_{T}"] = decoded
    OUT.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in out.items()}, OUT / f"{name}.safetensors")


torch.set_num_threads(1)
make("vae_deep", False, (1, 5, 17), 16, 24, 1, base_dim=8, z_dim=4, dim_mult=[1, 2, 4, 4], num_res_blocks=2,
     temperal_downsample=[False, True, True])
make("vae_small", True, (1, 5, 9), 8, 12, 2, base_dim=4, z_dim=3, dim_mult=[1, 2, 2], num_res_blocks=1,
     temperal_downsample=[True, False])
