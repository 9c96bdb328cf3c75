#!/usr/bin/env python3
"""Writes tests/data/vision/scene_cuts.safetensors: what PySceneDetect's ContentDetector says of films of hashed pictures.

Needs scenedetect 0.7.2, opencv-python-headless, numpy, torch, safetensors. Frames are made smaller as SceneManager makes them.
scene_cuts_test.cpp makes the same films.
"""
import pathlib
import sys

import cv2
import numpy
import torch
from safetensors.torch import save_file
from scenedetect import FrameTimecode
from scenedetect.detectors import ContentDetector
from scenedetect.scene_manager import compute_downscale_factor

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from hashed_weights import hashed  # noqa: E402

FRAMES = 260
# Where another picture begins: cuts, flashes, cuts that follow each other closely, and a long burst.
CHANGES = {"calm": [40, 90, 150], "flashes": [5, 40, 41, 80, 84, 88, 120, 160, 174, 175, 215],
           "burst": [30, *range(60, 90, 2), 120, *range(150, 190, 7), 230]}
SIZES = {"small": (48, 64), "wide": (200, 320), "tall": (300, 200)}


def film(changes, height, width):
    """Frames [H, W, 3] in the order R, G, B: blocks of one colour, with a little noise."""
    picture = -1
    for t in range(FRAMES):
        if t == 0 or t in changes:
            picture += 1
            blocks = hashed(f"scene{picture}", [3, 8, 8]).double()
            image = blocks.repeat_interleave(height // 8 + 1, 1).repeat_interleave(width // 8 + 1, 2)[:, :height, :width]
        noise = hashed(f"noise{t % 16}", [3, height, width]).double()
        yield (127.5 + 100 * image + 4 * noise).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def detect(changes, size, threshold, fewest):
    detector = ContentDetector(threshold=threshold, min_scene_len=fewest)
    factor = compute_downscale_factor(max(size))
    cuts, scores = [], []
    for t, frame in enumerate(film(changes, *size)):
        image = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        if factor > 1:
            image = cv2.resize(image, (round(size[1] / factor), round(size[0] / factor)), interpolation=cv2.INTER_LINEAR)
        cuts += [int(cut.frame_num) for cut in detector.process_frame(FrameTimecode(t, 24.0), image)]
        scores.append(detector._frame_score)
    return cuts, scores


def main():
    answers = {}
    for name, changes in CHANGES.items():
        for size, pixels in SIZES.items():
            if size != "small" and name != "calm":
                continue
            for fewest in (15, 4, 0):
                cuts, scores = detect(changes, pixels, 35.0, fewest)
                answers[f"{name}.{size}.{fewest}.cuts"] = torch.tensor(cuts, dtype=torch.int64)
                print(name, size, fewest, cuts)
            answers[f"{name}.{size}.scores"] = torch.tensor(numpy.array(scores, dtype=numpy.float64))
    colours = hashed("colours", [3, 64, 64]).double().mul(127.5).add(127.5).round().byte()
    hsv = cv2.cvtColor(cv2.cvtColor(colours.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2BGR), cv2.COLOR_BGR2HSV)
    answers["hsv"] = torch.from_numpy(hsv).permute(2, 0, 1).contiguous()
    save_file(answers, ROOT / "tests" / "data" / "vision" / "scene_cuts.safetensors")


if __name__ == "__main__":
    main()
