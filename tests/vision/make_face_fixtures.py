#!/usr/bin/env python3
"""Writes tests/data/vision/faces.safetensors and s3fd_tensors.tsv: what the S3FD of syncnet-python 0.2.3 says of a hashed picture.

Needs the oracle environment (torch, syncnet-python, opencv, safetensors). Weights are hashed; faces are then what the detector
takes for such, which is enough to compare every rule.
"""
import importlib.util
import pathlib
import sys
import types

import torch
from safetensors.torch import save_file

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "support"))
from hashed_weights import fill, hashed  # noqa: E402

OUT = TESTS / "data" / "vision"
HEIGHT, WIDTH, SCALE = 176, 232, 0.5


def package():
    """The package's detector without its own __init__, which imports more."""
    root = pathlib.Path(importlib.util.find_spec("syncnet_python").submodule_search_locations[0]) / "detectors" / "s3fd"
    home = types.ModuleType("s3fd")
    home.__path__ = [str(root)]
    sys.modules["s3fd"] = home
    spec = importlib.util.spec_from_file_location("s3fd", root / "__init__.py", submodule_search_locations=[str(root)])
    spec.loader.exec_module(home)
    return home, sys.modules["s3fd.nets"], sys.modules["s3fd.box_utils"]


def main():
    home, nets, boxes = package()
    net = nets.S3FDNet(device="cpu")
    fill(net)
    (OUT / "s3fd_tensors.tsv").write_text("".join(
        "\t".join([name, *map(str, tensor.shape)]) + "\n" for name, tensor in net.state_dict().items()))
    levels = hashed("faces", [3, HEIGHT, WIDTH]).double().mul(127.5).add(127.5).round().byte()
    image = levels.permute(1, 2, 0).numpy()
    seen = {}

    def keep(loc, conf, priors):
        seen["boxes"], seen["scores"] = boxes.decode(loc[0], priors, [0.1, 0.2]), conf[0, :, 1]
        return inner(loc, conf, priors)

    inner, net.detect.forward = net.detect.forward, keep
    detector = home.S3FD(net, device="cpu")
    with torch.no_grad():
        detector.detect_faces(image, conf_th=0.05, scales=[SCALE])
        threshold = round(float(seen["scores"].quantile(0.98)), 3)
        found = detector.detect_faces(image, conf_th=threshold, scales=[SCALE])
    print(len(seen["scores"]), "priors, scores", float(seen["scores"].min()), float(seen["scores"].max()), "threshold", threshold,
          "faces", len(found))
    save_file({"scores": seen["scores"].contiguous(), "boxes": seen["boxes"].contiguous(),
               "threshold": torch.tensor([threshold], dtype=torch.float64), "faces": torch.from_numpy(found).contiguous()},
              OUT / "faces.safetensors")


if __name__ == "__main__":
    main()
