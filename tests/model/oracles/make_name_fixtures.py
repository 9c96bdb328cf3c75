#!/usr/bin/env python3
"""Writes tests/data/model/other_names.tsv: names and shapes of the models of Wan 2.1 in diffusers and transformers.

Needs the oracle environment; not part of the build. Rows that differ in one block number only are folded: blocks.0-39.
"""
import pathlib
import re

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

OUT = pathlib.Path(__file__).resolve().parents[2] / "data" / "model" / "other_names.tsv"


def rows(model, module):
    folded = {}
    for name, tensor in module.state_dict().items():
        shape = "x".join(map(str, tensor.shape))
        found = re.fullmatch(r"(blocks\.|encoder\.block\.|vision_model\.encoder\.layers\.|encoder\.layers\.)(\d+)(\..*)", name)
        key = (found[1], found[3], shape) if found else (name, "", shape)
        folded.setdefault(key, []).append(int(found[2]) if found else None)
    for (head, tail, shape), numbers in folded.items():
        if numbers != [None]:
            assert sorted(numbers) == list(range(len(numbers)))
            head += f"0-{len(numbers) - 1}"
        yield f"{model}\t{head}{tail}\t{shape}\n"


def main():
    lines = ["model\tname\tshape\n"]
    with torch.device("meta"):
        wan = dict(patch_size=(1, 2, 2), num_attention_heads=12, attention_head_dim=128, out_channels=16, text_dim=4096,
                   freq_dim=256, ffn_dim=8960, num_layers=30)
        lines += rows("t2v-1.3b", WanTransformer3DModel(in_channels=16, **wan))
        wan.update(num_attention_heads=40, ffn_dim=13824, num_layers=40)
        lines += rows("i2v-14b", WanTransformer3DModel(in_channels=36, image_dim=1280, added_kv_proj_dim=5120, **wan))
        lines += rows("vae", AutoencoderKLWan())
        lines += rows("umt5", UMT5EncoderModel(UMT5Config(vocab_size=256384, d_model=4096, d_kv=64, d_ff=10240, num_layers=24,
                                                          num_heads=64, feed_forward_proj="gated-gelu")))
        clip = CLIPVisionModel(CLIPVisionConfig(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32,
                                                num_attention_heads=16, image_size=224, patch_size=14, hidden_act="gelu"))
        lines += [line.replace("\t", "\tvision_model.", 1) if "\tvision_model." not in line else line for line in rows("clip", clip)]
    OUT.write_text("".join(lines))


if __name__ == "__main__":
    main()
