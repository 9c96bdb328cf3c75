#!/usr/bin/env python3
"""Writes tests/data/sampler/: flow times and latents of diffusers' schedulers on an analytic model.

Needs the oracle environment of tools/setup (torch, diffusers, safetensors); not part of the build. The model is
that of sampler_test.cpp. Tensors: `TABLE.shiftS.stepsK` [K + 1, 12], the latents that the model sees, then the
result; `...sigmas` [K] and `...timesteps` [K]. Run from anywhere: tests/sampler/make_fixtures.py
"""
import pathlib

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "sampler"
SHAPE = (1, 2, 1, 2, 3)


def velocity(x, timestep):
    """Nonlinear in x and in time."""
    sigma = float(timestep) / 1000
    return torch.tanh(1.5 * x + sigma) + 0.4 * x * np.cos(3 * sigma) - 0.2


def unipc(steps, shift, official):
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, solver_order=2
    )
    if official:  # Wan's program: from the largest flow time of its 1000, in float32, towards 0
        first = float(np.float32(0.999))
        scheduler.set_timesteps(sigmas=np.linspace(first, 0, steps + 1)[:-1])
    else:
        scheduler.set_timesteps(steps)
    return scheduler


def euler(steps, shift):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(sigmas=np.linspace(1, 0, steps + 1)[:-1])
    return scheduler


def trajectory(scheduler, noise):
    sample, seen = noise, []
    for timestep in scheduler.timesteps:
        seen.append(sample)
        sample = scheduler.step(velocity(sample, timestep), timestep, sample).prev_sample
    return torch.stack(seen + [sample]).flatten(1).float()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    tensors = {"noise": noise}
    for shift in (3, 5):
        for steps in range(1, 51):
            for table in ("official", "diffusers", "euler"):
                made = euler(steps, shift) if table == "euler" else unipc(steps, shift, table == "official")
                name = f"{table}.shift{shift}.steps{steps}"
                tensors[name] = trajectory(made, noise.double())
                if steps in (1, 4, 20, 50):
                    tensors[name + ".sigmas"] = made.sigmas[:-1].float().clone()
                    tensors[name + ".timesteps"] = made.timesteps.double().clone()
    save_file(tensors, OUT / "trajectories.safetensors")


if __name__ == "__main__":
    main()
