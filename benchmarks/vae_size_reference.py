#!/usr/bin/env python3
"""diffusers' AutoencoderKLWan at the official size and random weights: what vae_size_bench measures, in Python.

    vae_size_reference.py encode|decode [--height 480] [--width 832] [--frames 5] [--threads 2]
                          [--save FOLDER]

Prints one line of JSON. With --save the weights (official names), the input and the result go to FOLDER as
safetensors, for vae_size_bench to read.
"""
import argparse
import importlib.util
import json
import pathlib
import time

import torch
from diffusers import AutoencoderKLWan

ROOT = pathlib.Path(__file__).resolve().parents[1]


def status(key):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def save(folder, vae, mode, given, output):
    from safetensors.torch import save_file
    spec = importlib.util.spec_from_file_location("names", ROOT / "tests" / "model" / "oracles" / "wan_vae_names.py")
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({names.official(k, 3): v.contiguous() for k, v in vae.state_dict().items()},
              folder / "weights.safetensors")
    save_file({"input": given.contiguous()}, folder / f"{mode}_input.safetensors")
    save_file({"output": output.contiguous()}, folder / f"{mode}_output.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["encode", "decode"])
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--width", type=int, default=832)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", type=pathlib.Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    vae = AutoencoderKLWan().eval()
    for name, tensor in vae.named_parameters():
        if name.endswith("gamma"):
            tensor.uniform_(0.75, 1.25)
        elif tensor.dim() > 1:
            tensor.uniform_(-1, 1).mul_((3 / tensor[0].numel()) ** 0.5)
    mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1)
    std = torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1)
    if args.mode == "encode":
        given = torch.randn(1, 3, args.frames, args.height, args.width).clamp_(-1, 1)
    else:
        given = torch.randn(1, 16, (args.frames - 1) // 4 + 1, args.height // 8, args.width // 8)
    if args.save is not None:
        clamp, torch.clamp = torch.clamp, lambda x, *_, **__: x  # ours leaves clamping to the caller
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # so that VmHWM speaks of what comes next
    before, start, cpu = status("VmRSS"), time.perf_counter(), time.process_time()
    if args.mode == "encode":
        output = (vae.encode(given).latent_dist.mean - mean) / std
    else:
        output = vae.decode(given * std + mean).sample
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = status("VmHWM") - before
    if args.save is not None:
        torch.clamp = clamp
        save(args.save, vae, args.mode, given, output)
    print(json.dumps({"program": "diffusers", "mode": args.mode, "torch": torch.__version__, "seconds": seconds,
                      "cpu_seconds": cpu, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
