"""Writes what svi_dance is compared with, without a look at any code of the plugin:

- the pose net, stated again in numpy and fp64, one kernel offset at a time, from the description in the specification;
- skeletons drawn by OpenCV with the calls that DWPose's public drawing makes (ellipse2Poly, fillConvexPoly, line, circle).

    python make_dance_fixtures.py tests/data/dance

Weights and pictures of the pose net are formulas of their index, so that files hold results alone.
"""
import colorsys
import math
import pathlib
import sys

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

CHANNELS = [3, 16, 16, 16, 16, 16, 16]
LIMBS = [(2, 3), (2, 6), (3, 4), (4, 5), (6, 7), (7, 8), (2, 9), (9, 10), (10, 11), (2, 12), (12, 13), (13, 14), (2, 1),
         (1, 15), (15, 17), (1, 16), (16, 18), (14, 19), (11, 20)]  # points counted from 1
COLOURS = [(255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
           (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
           (255, 0, 170), (255, 0, 85), (170, 255, 255), (255, 255, 0)]


def formula(shape, layer):
    """Weights of a layer, fp32, even in a range that keeps the scale of what goes through."""
    count = math.prod(shape)
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 25
    index = np.arange(count, dtype=np.int64)
    values = ((index * index * 31 + index * 7919 + layer * 104729) % 65521 / 32760 - 1) * math.sqrt(6 / fan_in)
    return values.astype(np.float32).astype(np.float64).reshape(shape)


def levels(batch, frames, height, width):
    """Pictures [B, T, 3, H, W] of whole levels."""
    index = np.arange(batch * frames * 3 * height * width, dtype=np.int64)
    return ((index * index * 31 + index * 7919) % 65521 % 256).reshape(batch, frames, 3, height, width)


def convolved(x, weight, bias, stride, padding):
    """x [C, T, H, W] in fp64."""
    x = np.pad(x, [(0, 0)] + [(padding, padding)] * 3)
    kernel = weight.shape[2:]
    sizes = [(x.shape[a + 1] - kernel[a]) // stride[a] + 1 for a in range(3)]
    out = np.broadcast_to(bias[:, None, None, None], (weight.shape[0], *sizes)).copy()
    for t in range(kernel[0]):
        for h in range(kernel[1]):
            for w in range(kernel[2]):
                part = x[:, t:t + stride[0] * sizes[0]:stride[0], h:h + stride[1] * sizes[1]:stride[1],
                         w:w + stride[2] * sizes[2]:stride[2]]
                out += np.einsum("oc,cthw->othw", weight[:, :, t, h, w], part)
    return out


def pose_net(picture, dim, time_strides, space_strides):
    """[T, 3, H, W] of levels to tokens [L, D]."""
    time = math.prod(time_strides)
    x = picture.transpose(1, 0, 2, 3) / 255
    x = np.concatenate([x[:, :1]] * (time - 1) + [x], 1)
    for layer in range(7):
        out, kernel = (dim, (1, 2, 2)) if layer == 6 else (16, (3, 3, 3))
        weight = formula((out, CHANNELS[layer], *kernel), layer)
        if layer:
            x = x / (1 + np.exp(-x))
        s = space_strides[layer]
        x = convolved(x, weight, formula((out,), layer + 50), (time_strides[layer], s, s), 0 if layer == 6 else 1)
    return x.reshape(dim, -1).T


def net_case(folder, name, batch, frames, height, width, dim, time_strides, space_strides):
    pictures = levels(batch, frames, height, width)
    tokens = np.stack([pose_net(one, dim, time_strides, space_strides) for one in pictures])
    print(name, tokens.shape, tokens.std())
    grid = ((frames - 1) // math.prod(time_strides) + 1, height // math.prod(space_strides), width // math.prod(space_strides))
    assert tokens.shape[1] == math.prod(grid)
    save_file({"tokens": torch.tensor(tokens, dtype=torch.float32).contiguous(),
               "sizes": torch.tensor([batch, frames, height, width, dim, *grid])}, folder / f"{name}.safetensors")


def drawn(body, hands, height, width):
    """body [20, 2] and hands [n, 21, 2] in shares of the picture, negative: not seen; uint8 [H, W, 3]."""
    canvas = np.zeros((height, width, 3), np.uint8)
    pixels = [None if x < 0 else (x * width, y * height) for x, y in body]
    for (a, b), colour in zip(LIMBS, COLOURS):
        a, b = pixels[a - 1], pixels[b - 1]
        if a and b:
            middle = (int((a[0] + b[0]) / 2), int((a[1] + b[1]) / 2))
            half = int(math.dist(a, b) / 2)
            angle = int(math.degrees(math.atan2(b[1] - a[1], b[0] - a[0])))
            cv2.fillConvexPoly(canvas, cv2.ellipse2Poly(middle, (half, 4), angle, 0, 360, 1), colour)
    canvas = (canvas * 0.6).astype(np.uint8)
    for point, colour in zip(pixels, COLOURS):
        if point:
            cv2.circle(canvas, (int(point[0]), int(point[1])), 4, colour, -1)
    for hand in hands:
        points = [(int(x * width), int(y * height)) for x, y in hand]
        for i in range(20):
            colour = tuple(255 * c for c in colorsys.hsv_to_rgb(i / 20, 1, 1))
            cv2.line(canvas, points[0 if i % 4 == 0 else i], points[i + 1], colour, 2)
        for point in points:
            cv2.circle(canvas, point, 4, (0, 0, 255), -1)
    return canvas


def skeleton_case(folder, name, seed, height, width, with_hands, missing):
    draw = np.random.default_rng(seed)
    side = [(.5, .12), (.5, .25), (.38, .26), (.3, .4), (.22, .5), (.62, .26), (.72, .36), (.8, .24), (.43, .52), (.4, .7), (.36, .88),
            (.57, .52), (.62, .7), (.6, .9), (.47, .1), (.53, .1), (.43, .12), (.57, .12), (.64, .95), (.3, .94)]
    body = np.array(side) + draw.uniform(-.03, .03, (20, 2))
    body[missing] = -1
    hands = np.zeros((0, 21, 2))
    if with_hands:
        ends = np.stack([body[4], body[7]])[:, None]
        hands = (ends + np.concatenate([np.zeros((2, 1, 2)), draw.uniform(-.12, .12, (2, 20, 2))], 1)).clip(.02, .98)
    picture = drawn(body, hands, height, width)
    save_file({"body": torch.tensor(body), "hands": torch.tensor(hands),
               "picture": torch.tensor(picture).permute(2, 0, 1).contiguous()}, folder / f"{name}.safetensors")


def arrays(folder):
    """Key points as numpy.savez writes them, and as it compresses them."""
    frames, points = np.meshgrid(np.arange(3), np.arange(134), indexing="ij")
    whole = np.stack([0.001 * points + 0.1 * frames, 0.9 - 0.001 * points, np.full(points.shape, 0.8)], -1)
    np.savez(folder / "whole_body.npz", keypoints=whole.astype(np.float32), other=np.arange(4))
    np.savez(folder / "body.npz", whole[:2, :18])
    np.savez_compressed(folder / "compressed.npz", whole)


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    net_case(out, "net_official", 2, 9, 32, 48, 24, (1, 1, 1, 1, 2, 2, 1), (1, 1, 1, 2, 2, 2, 2))
    net_case(out, "net_pocket", 2, 5, 16, 24, 16, (1,) * 7, (1, 1, 1, 2, 2, 1, 2))
    net_case(out, "net_stride_two", 1, 5, 8, 12, 8, (1, 1, 1, 1, 2, 1, 1), (1, 1, 1, 2, 1, 1, 2))
    net_case(out, "net_coarse", 1, 9, 64, 32, 8, (1, 1, 1, 2, 2, 2, 1), (1, 1, 1, 4, 2, 2, 2))
    net_case(out, "net_one_frame", 1, 1, 16, 16, 8, (1,) * 7, (1, 1, 1, 1, 1, 1, 2))
    arrays(out)
    skeleton_case(out, "drawn_body", 1, 160, 112, False, [])
    skeleton_case(out, "drawn_hands", 2, 192, 192, True, [])
    skeleton_case(out, "drawn_parts", 3, 96, 160, False, [0, 10, 16])
