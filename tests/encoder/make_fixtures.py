#!/usr/bin/env python3
"""Writes tests/data/encoder/: what transformers' encoders compute with random weights, and manifests of official names.

Needs the oracle environment (torch, transformers, safetensors); not part of the build.
Tensors: `weights.*` under the names the toolkit reads, `input.*`, `output.*`.
"""
import pathlib
import re
import sys

import torch
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel, Wav2Vec2Config, Wav2Vec2Model

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "encoder"


def randomise(model, scale=0.3):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.2 * torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * scale / (1 if p.dim() < 2 else p[0].numel() ** 0.5 * 0.5))
    return model.float().eval()


def write(name, weights, **tensors):
    content = {f"weights.{k}": v.detach().contiguous().clone() for k, v in weights.items()}
    content.update({k.replace("__", "."): v.detach().contiguous().clone() for k, v in tensors.items()})
    save_file(content, OUT / f"{name}.safetensors")


def umt5_official(name):
    name = name.removeprefix("encoder.")
    if name in ("shared.weight", "embed_tokens.weight"):
        return "token_embedding.weight"
    if name == "final_layer_norm.weight":
        return "norm.weight"
    i, rest = re.fullmatch(r"block\.(\d+)\.layer\.(.+)", name).groups()
    table = {"0.layer_norm.weight": "norm1.weight", "1.layer_norm.weight": "norm2.weight",
             "1.DenseReluDense.wi_0.weight": "ffn.gate.0.weight", "1.DenseReluDense.wi_1.weight": "ffn.fc1.weight",
             "1.DenseReluDense.wo.weight": "ffn.fc2.weight",
             "0.SelfAttention.relative_attention_bias.weight": "pos_embedding.embedding.weight"}
    return f"blocks.{i}." + (table.get(rest) or rest.replace("0.SelfAttention.", "attn."))


def umt5(name, seed, lengths, **sizes):
    torch.manual_seed(seed)
    config = UMT5Config(feed_forward_proj="gated-gelu", dropout_rate=0.0, **sizes)
    model = randomise(UMT5EncoderModel(config), 0.5)
    for block in model.encoder.block:  # trained ones make up for the scale that attention lacks
        block.layer[0].SelfAttention.q.weight.data *= sizes["d_kv"] ** -0.5
    L = max(lengths) + 2
    ids = torch.randint(2, sizes["vocab_size"], (len(lengths), L))
    mask = torch.arange(L)[None] < torch.tensor(lengths)[:, None]
    ids = ids * mask
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    weights = {umt5_official(k): v for k, v in model.state_dict().items()}
    write(name, weights, input__ids=ids, input__lengths=torch.tensor(lengths), output__context=out * mask[:, :, None])


def clip(name, seed, batch, size, **sizes):
    torch.manual_seed(seed)
    model = randomise(CLIPVisionModel(CLIPVisionConfig(hidden_act="gelu", layer_norm_eps=1e-5, projection_dim=6, **sizes)), 1.0)
    frames = torch.rand(batch, 3, *size) * 2 - 1
    side = sizes["image_size"]
    image = torch.nn.functional.interpolate(frames, size=(side, side), mode="bicubic", align_corners=False)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
    image = (image * 0.5 + 0.5 - mean) / std
    with torch.no_grad():
        out = model(pixel_values=image, output_hidden_states=True).hidden_states[-2]
    state = {re.sub(r"^vision_model\.", "", k): v for k, v in model.state_dict().items() if "position_ids" not in k}
    weights = {"visual.patch_embedding.weight": state["embeddings.patch_embedding.weight"],
               "visual.cls_embedding": state["embeddings.class_embedding"].view(1, 1, -1),
               "visual.pos_embedding": state["embeddings.position_embedding.weight"][None],
               "visual.head": torch.zeros(sizes["hidden_size"], 6)}
    for part in ("weight", "bias"):
        weights[f"visual.pre_norm.{part}"] = state[f"pre_layrnorm.{part}"]
        weights[f"visual.post_norm.{part}"] = state[f"post_layernorm.{part}"]
        for i in range(sizes["num_hidden_layers"]):
            theirs, ours = f"encoder.layers.{i}.", f"visual.transformer.{i}."
            weights[f"{ours}norm1.{part}"] = state[f"{theirs}layer_norm1.{part}"]
            weights[f"{ours}norm2.{part}"] = state[f"{theirs}layer_norm2.{part}"]
            weights[f"{ours}attn.to_qkv.{part}"] = torch.cat([state[f"{theirs}self_attn.{n}_proj.{part}"] for n in "qkv"])
            weights[f"{ours}attn.proj.{part}"] = state[f"{theirs}self_attn.out_proj.{part}"]
            weights[f"{ours}mlp.0.{part}"] = state[f"{theirs}mlp.fc1.{part}"]
            weights[f"{ours}mlp.2.{part}"] = state[f"{theirs}mlp.fc2.{part}"]
    weights["textual.token_embedding.weight"] = torch.zeros(2, 2)
    weights["log_scale"] = torch.tensor(0.5)
    write(name, weights, input__frames=frames, input__heads=torch.tensor(sizes["num_attention_heads"]), output__tokens=out)


def wav2vec2(name, seed, samples, frames, **sizes):
    torch.manual_seed(seed)
    config = Wav2Vec2Config(do_stable_layer_norm=False, feat_extract_norm="group", hidden_dropout=0.0, layerdrop=0.0, **sizes)
    model = randomise(Wav2Vec2Model(config), 1.0)
    sound = torch.randn(2, samples) * 0.2 + 0.1
    normed = (sound - sound.mean(1, keepdim=True)) / (sound.var(1, unbiased=False, keepdim=True) + 1e-7).sqrt()
    if frames:  # between the convolutions and what follows them, as talking-head models stretch them
        features = model.feature_extractor.forward
        model.feature_extractor.forward = lambda x: torch.nn.functional.interpolate(
            features(x), size=frames, mode="linear", align_corners=True)
    with torch.no_grad():
        out = model(normed, output_hidden_states=True).hidden_states[1:]
    write(name, model.state_dict(), input__samples=sound, input__frames=torch.tensor(frames), output__states=torch.stack(out, 2))


def manifest(shared):
    """The encoders' rows of the full list of official tensors, equal blocks folded into one row."""
    rows = {}
    for line in pathlib.Path(shared).read_text().splitlines():
        model, name, shape = line.split("\t")
        if model in ("umt5-xxl-enc", "clip-xlmr-vit-h14"):
            found = re.fullmatch(r"(.*?\b(?:blocks|transformer)\.)(\d+)(\..*)", name)
            key = (model, found[1], found[3], shape) if found else (model, name, "", shape)
            rows.setdefault(key, []).append(int(found[2]) if found else None)
    lines = []
    for (model, head, tail, shape), numbers in sorted(rows.items()):
        if numbers != [None]:
            numbers.sort()
            assert numbers == list(range(numbers[-1] + 1)), (head, tail)
            head += f"0-{numbers[-1]}"
        lines.append(f"{model}\t{head}{tail}\t{shape}\n")
    (OUT / "encoder_manifest.tsv").write_text("model\tname\tshape\n" + "".join(lines))


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    umt5("umt5_small", 1, [7, 3], vocab_size=50, d_model=24, d_kv=8, d_ff=40, num_layers=2, num_heads=3)
    umt5("umt5_long", 2, [150], vocab_size=20, d_model=12, d_kv=4, d_ff=20, num_layers=3, num_heads=2)
    umt5("umt5_one", 3, [1, 5, 2], vocab_size=30, d_model=16, d_kv=16, d_ff=8, num_layers=1, num_heads=1)
    clip("clip_small", 4, 2, (30, 50), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
         image_size=28, patch_size=7)
    clip("clip_odd", 5, 1, (17, 9), hidden_size=30, intermediate_size=50, num_hidden_layers=2, num_attention_heads=2,
         image_size=15, patch_size=5)
    sizes = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, conv_dim=(16, 16, 20),
                 conv_kernel=(10, 3, 2), conv_stride=(5, 2, 2), num_feat_extract_layers=3, num_conv_pos_embeddings=16,
                 num_conv_pos_embedding_groups=4)
    wav2vec2("wav2vec2_plain", 6, 900, 0, **sizes)
    wav2vec2("wav2vec2_stretched", 7, 700, 19, **{**sizes, "num_conv_pos_embeddings": 7})
    if len(sys.argv) > 1:
        manifest(sys.argv[1])
