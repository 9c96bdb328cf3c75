"""Writes what the conditions of svi_shot, svi_film and svi_tom are compared with: which picture stands in each pixel frame,
what each latent frame holds, and the mask, stated again frame by frame from the description in the specification, without
a look at any code of the toolkit.

    python make_condition_fixtures.py tests/data/condition/layouts.safetensors [svi_video.py]

With the reference's pipeline it also compares its own function, run on pictures of one colour each and a codec that hands
back what it is given, with these statements.
"""
import ast
import pathlib
import sys

import torch
from safetensors.torch import save_file

GREY, ANCHOR, ZERO, FRAMES = -1, -2, -1, -3  # a pixel frame; a latent frame


def pixel_frames(frames, motion, copies):
    """Which picture stands in each pixel frame: the number of a motion frame, ANCHOR or GREY."""
    shown = list(range(motion))
    while len(shown) < frames:
        behind = len(shown) - motion
        shown.append(ANCHOR if copies < 0 or behind < copies else GREY)
    return shown


def pixels_of(latent, stride):
    """The pixel frames that a latent frame stands for."""
    return [0] if latent == 0 else [stride * (latent - 1) + 1 + i for i in range(stride)]


def latent_frames(shown, motion, layout, zeros, stride):
    """What each latent frame holds: FRAMES (its own pixel frames, encoded), ANCHOR (alone), ZERO, or the number of a latent
    of the motion frames."""
    count = (len(shown) - 1) // stride + 1
    held = []
    for latent in range(count):
        if layout == "anchor_first":
            held.append(ANCHOR if latent == 0 else latent if latent <= (motion - 1) // stride else ZERO)
        elif zeros and all(shown[t] == GREY for t in pixels_of(latent, stride)):
            held.append(ZERO)
        else:
            held.append(FRAMES)
    return held


def mask(frames, motion, known, stride):
    """[stride, F]: pixel frame 0 fills the column of latent frame 0."""
    marked = [t < (motion if known else 1) for t in range(frames)]
    columns = [[marked[0]] * stride] + [[marked[t] for t in pixels_of(f, stride)] for f in range(1, (frames - 1) // stride + 1)]
    return torch.tensor(columns).T


def cases():
    for stride, frames, motions, paddings in ((4, 17, (1, 2, 5), (-1, 0, 1, 3, 200)), (4, 81, (1, 5), (-1, 0)),
                                              (1, 9, (1, 2, 5), (-1, 0, 1, 3, 200))):
        for motion in motions:
            for known in (False, True):
                for copies in paddings:
                    for zeros in (False, True):
                        yield frames, motion, copies, known, "video", zeros, stride
                if (motion - 1) % stride == 0:
                    yield frames, motion, 0, known, "anchor_first", False, stride


def statements():
    for frames, motion, copies, known, layout, zeros, stride in cases():
        shown = pixel_frames(frames, motion, copies)
        yield {"sizes": torch.tensor([frames, motion, copies, known, layout == "anchor_first", zeros, stride]),
               "pixels": torch.tensor(shown),
               "latents": torch.tensor(latent_frames(shown, motion, layout, zeros, stride)),
               "mask": mask(frames, motion, known, stride)}


class Picture:
    """Stands in for an image of one colour."""

    def __init__(self, colour):
        self.colour = colour

    def resize(self, _):
        return self


class Codec(torch.nn.Module):
    """Hands back what it is given, one value for each pixel frame; remembers what the image branch was shown."""

    def __init__(self):
        super().__init__()
        self.any = torch.nn.Parameter(torch.zeros(1))
        self.seen = None

    def encode(self, videos, **_):
        colours = [video[0, :, 0, 0] for video in videos]
        return [torch.cat([one[:1].expand(3), one]).view(-1, 4).T[:, :, None, None] for one in colours]

    def encode_image(self, images):
        self.seen = images[0].flatten()[0].item()
        return images[0]


def compare_with_reference(path, stated):
    """The reference's encode_images_adaptive on the cases that it has; only official strides and legal paddings."""
    tree = ast.parse(pathlib.Path(path).read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "encode_images_adaptive"]
    scope = {"torch": torch}
    exec(compile(ast.Module(found[:1], []), path, "exec"), scope)  # of a file that the user names
    compared = 0
    for case in stated:
        frames, motion, copies, known, anchor_first, zeros, stride = case["sizes"].tolist()
        if anchor_first or zeros or stride != 4 or copies > frames - motion:
            continue
        pipe = type("Pipe", (), {"torch_dtype": torch.float32, "device": "cpu"})()
        pipe.vae = pipe.image_encoder = Codec()
        pipe.preprocess_image = lambda picture, **_: torch.full((1, 3, 8, 8), float(picture.colour))
        result = scope["encode_images_adaptive"](pipe, [Picture(1 + i) for i in range(motion)], Picture(100), frames, 8, 8,
                                                 ref_pad_cfg=bool(known), ref_pad_num=copies)
        y = result["y"][0]  # [4 + 4, F, 1, 1]: the mask, then the colours of the pixel frames
        colours = torch.tensor([{ANCHOR: 100.0, GREY: 0.0}.get(shown, 1.0 + shown) for shown in case["pixels"].tolist()])
        theirs = y[4:, :, 0, 0].T.flatten()[3:]
        assert torch.equal(theirs, colours), (case, theirs)
        assert torch.equal(y[:4, :, 0, 0], case["mask"].float()), case
        assert pipe.image_encoder.seen == 1, case
        compared += 1
    print(f"{compared} cases equal those of the reference")


if __name__ == "__main__":
    stated = list(statements())
    out = pathlib.Path(sys.argv[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    # One after the other: all values of a case, then those of the next.
    save_file({key: torch.cat([case[key].flatten() for case in stated]).to(torch.int32) for key in stated[0]}, out)
    if len(sys.argv) > 2:
        compare_with_reference(sys.argv[2], stated)
