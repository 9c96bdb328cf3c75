"""Writes tests/data/io/python.safetensors with the Python package: one tensor of each dtype it can write.

Needs torch and safetensors; run from the repository root.
"""
import torch
from safetensors.torch import save_file

base = torch.arange(-3, 3)
save_file(
    {
        "f64": (base / 4).to(torch.float64).reshape(2, 3),
        "f32": (base / 4).to(torch.float32).reshape(3, 2),
        "f16": (base / 4).to(torch.float16),
        "bf16": (base / 4).to(torch.bfloat16),
        "f8_e4m3": (base / 4).to(torch.float8_e4m3fn),
        "f8_e5m2": (base / 4).to(torch.float8_e5m2),
        "i64": base.to(torch.int64),
        "i32": base.to(torch.int32),
        "i16": base.to(torch.int16),
        "i8": base.to(torch.int8),
        "u8": (base + 3).to(torch.uint8),
        "bool": base > 0,
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 4),
        'quoted "name" é': torch.tensor([1.0]),
    },
    "tests/data/io/python.safetensors",
    metadata={"format": "pt", "note": 'a "quoted" é line\nand another'},
)
