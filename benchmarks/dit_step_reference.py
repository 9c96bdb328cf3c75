#!/usr/bin/env python3
"""A training step in Python: diffusers' Wan transformer with peft's LoRA, forward and backward.

Same sizes, dtype, thread count and optimiser-free step as dit_step_bench. Prints one line of JSON.
"""
import argparse
import json
import statistics
import time

import torch
from diffusers import WanTransformer3DModel
from peft import LoraConfig, inject_adapter_in_model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--mode", choices=["lora", "full"], default="lora")
    parser.add_argument("--size", choices=["pocket", "1.3b"], default="pocket")
    for name in ("layers", "rows", "columns"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--frames", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    large = args.size == "1.3b"
    if large:
        sizes = dict(num_attention_heads=12, attention_head_dim=128, in_channels=16, text_dim=4096, ffn_dim=8960,
                     num_layers=args.layers or 30)
        batch, text_rows, rank, rows, columns = 1, 512, 128, args.rows or 12, args.columns or 26
    else:
        sizes = dict(num_attention_heads=4, attention_head_dim=32, in_channels=36, text_dim=64, ffn_dim=512,
                     num_layers=args.layers or 5)
        batch, text_rows, rank, rows, columns = 16, 24, 32, args.rows or 8, args.columns or 8
    model = WanTransformer3DModel(patch_size=(1, 2, 2), out_channels=16, freq_dim=256, eps=1e-6,
                                  **sizes).float().train()
    if large:
        model.enable_gradient_checkpointing()
    if args.mode == "lora":
        model.requires_grad_(False)
        targets = ["to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2"]
        model = inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=targets), model)
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.data.normal_(0, 0.02)
    trained = [p for p in model.parameters() if p.requires_grad]

    def latent(channels):
        return torch.randn(batch, channels, args.frames, rows, columns)

    noisy, target, beside = latent(16), latent(16), sizes["in_channels"] - 16
    given = torch.cat([noisy, latent(beside)], 1) if beside else noisy
    text, timestep = torch.randn(batch, text_rows, sizes["text_dim"]), torch.rand(batch) * 1000

    def step():
        for p in trained:
            if p.grad is not None:
                p.grad.zero_()
        v = model(given, timestep, text, return_dict=False)[0]
        loss = ((v - target) ** 2).mean()
        loss.backward()
        return loss.item()

    for _ in range(args.warmup):
        step()
    seconds, cpu_seconds = [], []
    for _ in range(args.steps):
        start, cpu_start = time.perf_counter(), time.process_time()
        step()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    print(json.dumps({"program": "diffusers+peft", "mode": args.mode, "torch": torch.__version__,
                      "trained_numbers": sum(p.numel() for p in trained), "steps": args.steps,
                      "median_seconds": statistics.median(seconds), "min_seconds": min(seconds),
                      "median_cpu_seconds": statistics.median(cpu_seconds)}))


if __name__ == "__main__":
    main()
