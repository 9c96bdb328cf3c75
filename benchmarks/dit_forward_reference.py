#!/usr/bin/env python3
"""One forward pass of diffusers' Wan transformer without gradients, with random weights: the counterpart of
dit_forward_bench. The geometry is T2V-1.3B's. Prints one line of JSON.
"""
import argparse
import json
import resource
import statistics
import time

import diffusers
import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanRotaryPosEmbed


def build(layers, dtype):
    with torch.device("meta"):
        model = WanTransformer3DModel(
            patch_size=(1, 2, 2), num_attention_heads=12, attention_head_dim=128, in_channels=16, out_channels=16,
            text_dim=4096, freq_dim=256, ffn_dim=8960, num_layers=layers, cross_attn_norm=True, eps=1e-6)
    model = model.to(dtype)
    for part in WanTransformer3DModel._keep_in_fp32_modules:  # what from_pretrained leaves in fp32
        for name, module in model.named_modules():
            if name.split(".")[-1] == part:
                module.to(torch.float32)
    model = model.to_empty(device="cpu")
    model.rope = WanRotaryPosEmbed(128, (1, 2, 2), 1024)  # its tables aren't weights
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            weight.data.zero_()
        elif "norm" in name:
            weight.data.fill_(1)
        else:
            weight.data.uniform_(-.03, .03)
    return model.eval().requires_grad_(False)


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    for name, default in (("threads", 2), ("repeats", 3), ("warmup", 1), ("frames", 5), ("rows", 12), ("columns", 26),
                          ("text", 512), ("layers", 30)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    model = build(args.layers, dtype)
    text = torch.zeros(1, 512, 4096, dtype=dtype)
    text[:, :args.text].normal_()
    noisy = torch.randn(1, 16, args.frames, args.rows, args.columns).to(dtype)
    timestep = torch.full((1,), 700.0)
    before = peak_mib()

    seconds, cpu_seconds = [], []
    with torch.no_grad():
        for i in range(args.warmup + args.repeats):
            start, cpu_start = time.perf_counter(), time.process_time()
            velocity = model(noisy, timestep, text, return_dict=False)[0]
            if i >= args.warmup:
                seconds.append(time.perf_counter() - start)
                cpu_seconds.append(time.process_time() - cpu_start)
    assert velocity.isfinite().all()
    print(json.dumps({"program": "diffusers", "dtype": args.dtype, "torch": torch.__version__,
                      "version": diffusers.__version__, "threads": args.threads,
                      "seconds": statistics.median(seconds), "cpu_seconds": statistics.median(cpu_seconds),
                      "peak_mib": round(peak_mib()), "added_mib": round(peak_mib() - before)}))


if __name__ == "__main__":
    main()
