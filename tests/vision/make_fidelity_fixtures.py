#!/usr/bin/env python3
"""Writes tests/data/vision/fidelity.safetensors, the heads of LPIPS and lists of its networks' tensors.

Oracles: the lpips package 0.1.4 on hashed trunks with its own heads; pytorch-msssim 1.0.0 in fp64; for MS-SSIM on
rounded luma, whose contrast term is at least 0 at every place, the plain implementation below.
Needs the oracle environment (torch, torchvision, lpips, pytorch-msssim, scipy, pillow, safetensors).
"""
import pathlib
import re
import shutil
import sys

import lpips
import numpy
import torch
import torchvision
from PIL import Image
from pytorch_msssim import ms_ssim
from safetensors.torch import save_file
from scipy.ndimage import correlate1d

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "support"))
from hashed_weights import fill, hashed  # noqa: E402

OUT = TESTS / "data" / "vision"
GOLDEN = TESTS / "data" / "golden" / "images"
FILES = {"alex": "LPIPS_v0.1_alex-df73285e.pth", "vgg": "LPIPS_v0.1_vgg-a78928a0.pth"}


WINDOW = torch.exp(-0.5 * ((torch.arange(11, dtype=torch.float64) - 5) / 1.5) ** 2)  # theirs is rounded to fp32
WINDOW = (WINDOW / WINDOW.sum())[None, None, None].repeat(3, 1, 1, 1)


def picture(name):
    return torch.from_numpy(numpy.array(Image.open(GOLDEN / f"{name}.png").convert("RGB"))).permute(2, 0, 1)


def tensor_list(name, model):
    lines = [f"{k}\t{' '.join(map(str, v.shape))}\n" for k, v in model.state_dict().items()]
    (OUT / f"{name}_tensors.tsv").write_text("".join(lines))


def lpips_of(net, a, b):
    model = lpips.LPIPS(net=net, version="0.1", pretrained=True, pnet_rand=True, verbose=False)
    fill(model.net, lambda name: re.sub(r"^slice\d+\.", "features.", name))
    with torch.no_grad():
        return model.eval()(a[None] * 2 - 1, b[None] * 2 - 1).double().flatten()


def luma(x):
    x = x.double().numpy()
    return numpy.round(0.299 * x[0] + 0.587 * x[1] + 0.114 * x[2])


def ms_ssim_y(a, b):
    window = numpy.exp(-0.5 * ((numpy.arange(11) - 5) / 1.5) ** 2)
    window /= window.sum()

    def mean(x):
        return correlate1d(correlate1d(x, window, 0), window, 1)[5:-5, 5:-5]

    value = 1.0
    for scale, weight in enumerate([0.0448, 0.2856, 0.3001, 0.2363, 0.1333]):
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        ma, mb = mean(a), mean(b)
        va, vb, vab = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
        contrast = numpy.maximum((2 * vab + c2) / (va + vb + c2), 0)
        whole = contrast * (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
        value *= max((whole if scale == 4 else contrast).mean(), 0) ** weight
        a, b = ((x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4 for x in (a, b))
    return torch.tensor([value], dtype=torch.float64)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    content = {}
    a, b = (hashed(f"lpips.{name}", [3, 47, 65]) * 0.5 + 0.5 for name in "ab")
    for net, file in FILES.items():
        content[f"lpips.{net}"] = lpips_of(net, a, b)
        shutil.copy(pathlib.Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth", OUT / file)
    for name in ("I03", "I04", "I06"):
        a, b = picture(f"{name}_dist"), picture(f"{name}_ref")
        content[f"lpips.alex.{name}"] = lpips_of("alex", a.float() / 255, b.float() / 255)
        x, y = a[None].double() / 255, b[None].double() / 255
        content[f"ms_ssim.{name}"] = ms_ssim(x, y, data_range=1.0, win=WINDOW).flatten()
        odd = ms_ssim(x[..., 1:, :-3], y[..., 1:, :-3], data_range=1.0, win=WINDOW)
        content[f"ms_ssim.odd.{name}"] = odd.flatten()
        content[f"ms_ssim_y.{name}"] = ms_ssim_y(luma(a), luma(b))
    save_file(content, OUT / "fidelity.safetensors")
    with torch.device("meta"):
        tensor_list("alexnet", torchvision.models.alexnet())
        tensor_list("vgg16", torchvision.models.vgg16())
    for key, value in content.items():
        print(key, value.item())


main()
