"""Weights that are a function of name and place alone: the same numbers as tests/support/hashed_weights.hpp makes."""
import math

import numpy
import torch


def hashed(name, sizes):
    """fp32 values in [-1, 1)."""
    key = 0xCBF29CE484222325
    for letter in name.encode():
        key = (key ^ letter) * 0x100000001B3 % 2**64
    count = math.prod(sizes)
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(key) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    values = (z >> numpy.uint64(40)).astype(numpy.float64) / 8388608.0 - 1.0
    return torch.from_numpy(values.astype(numpy.float32)).reshape(list(sizes))


def hashed_weight(name, sizes):
    values = hashed(name, sizes)
    if name.endswith("running_var"):
        return values * 0.5 + 1.0
    if len(sizes) >= 2:
        return values * numpy.float32(math.sqrt(3.0 / math.prod(sizes[1:]))).item()
    return values * 0.2 + 1.0 if name.endswith("weight") else values * 0.1


def fill(model, rename=lambda name: name, skip=lambda name: False):
    """Gives every tensor of a model's state its hashed value, under the name that the toolkit reads; in place."""
    with torch.no_grad():
        for name, tensor in model.state_dict(keep_vars=True).items():
            if tensor.is_floating_point() and not skip(name):
                tensor.copy_(hashed_weight(rename(name), tensor.shape))
    return model.float().eval()
