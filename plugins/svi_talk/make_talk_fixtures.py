"""Writes what svi_talk's layers are compared with: MultiTalk's projector and audio attention, stated again frame by frame
in fp64 from the description in the specification, without a look at any code of the plugin.

    python make_talk_fixtures.py tests/data/talk [wan_tensor_manifest.tsv]

With the list of official tensors it also writes the names and shapes of MultiTalk's, blocks folded into one row.
"""
import math
import pathlib
import re
import sys

import torch
from safetensors.torch import save_file

torch.set_grad_enabled(False)


def heard_rows(frame, stride, window):
    """(pixel frame, row of its window) pairs that a latent frame hears."""
    half = window // 2
    if frame == 0:
        return [(0, row) for row in range(window)]
    group = list(range(stride * (frame - 1) + 1, stride * frame + 1))
    if len(group) == 1:
        return [(group[0], row) for row in range(window)]
    rows = [(group[0], row) for row in range(half + 1)]
    rows += [(pixel, half) for pixel in group[1:-1]]
    return rows + [(group[-1], row) for row in range(half, window)]


def layer(weights, name, x):
    return weights[name + ".weight"] @ x + weights[name + ".bias"]


def norm(weights, name, x, eps):
    x = (x - x.mean()) / torch.sqrt(((x - x.mean()) ** 2).mean() + eps)
    return x * weights[name + ".weight"] + weights[name + ".bias"]


def audio_tokens(weights, windows, stride, tokens, width):
    """[T, window, layers, dim] to [F, tokens, width]."""
    pixels, window = windows.shape[:2]
    out = []
    for frame in range((pixels - 1) // stride + 1):
        heard = torch.cat([windows[pixel, row].flatten() for pixel, row in heard_rows(frame, stride, window)])
        x = layer(weights, "audio_proj.proj1" if frame == 0 else "audio_proj.proj1_vf", heard).clamp_min(0)
        x = layer(weights, "audio_proj.proj2", x).clamp_min(0)
        x = layer(weights, "audio_proj.proj3", x)
        out.append(torch.stack([norm(weights, "audio_proj.norm", row, 1e-5) for row in x.view(tokens, width)]))
    return torch.stack(out)


def attended(weights, block, x, audio, heads):
    """Tokens [F, n, D] of one block, what is added to them."""
    name = f"blocks.{block}.audio_cross_attn."
    frames, count, dim = x.shape
    size = dim // heads
    out = torch.zeros_like(x)
    for f in range(frames):
        pairs = [layer(weights, name + "kv_linear", token) for token in audio[f]]
        for n in range(count):
            q = layer(weights, name + "q_linear", norm(weights, f"blocks.{block}.norm_x", x[f, n], 1e-6))
            mixed = torch.zeros(dim, dtype=x.dtype)
            for h in range(heads):
                part = slice(h * size, (h + 1) * size)
                scores = torch.stack([q[part] @ kv[:dim][part] / math.sqrt(size) for kv in pairs])
                for share, kv in zip(torch.softmax(scores, 0), pairs):
                    mixed[part] += share * kv[dim:][part]
            out[f, n] = layer(weights, name + "proj", mixed)
    return out


def shapes(window, stride, row, hidden, tokens, width, dim, blocks):
    pairs = {"audio_proj.proj1": (hidden, window * row), "audio_proj.proj1_vf": (hidden, (stride + window - 1) * row),
             "audio_proj.proj2": (hidden, hidden), "audio_proj.proj3": (tokens * width, hidden), "audio_proj.norm": (width,)}
    for i in range(blocks):
        pairs |= {f"blocks.{i}.audio_cross_attn.q_linear": (dim, dim), f"blocks.{i}.audio_cross_attn.kv_linear": (2 * dim, width),
                  f"blocks.{i}.audio_cross_attn.proj": (dim, dim), f"blocks.{i}.norm_x": (dim,)}
    return pairs


def case(folder, name, seed, samples, frames, grid, stride, window, layers, audio_dim, hidden, tokens, width, dim, heads, blocks):
    torch.manual_seed(seed)
    weights = {}
    for key, shape in shapes(window, stride, layers * audio_dim, hidden, tokens, width, dim, blocks).items():
        spread = 1 / math.sqrt(shape[-1]) if len(shape) == 2 else 0.3
        weights[key + ".weight"] = torch.randn(shape) * spread + (len(shape) == 1)
        weights[key + ".bias"] = torch.randn(shape[:1]) * 0.2
    pixels = stride * (frames - 1) + 1
    windows = torch.randn(samples, pixels, window, layers, audio_dim)
    x = torch.randn(samples, frames, grid[0] * grid[1], dim) * 2 + 0.5
    wide = {key: tensor.double() for key, tensor in weights.items()}
    audio = torch.stack([audio_tokens(wide, one.double(), stride, tokens, width) for one in windows])
    added = torch.stack([torch.stack([attended(wide, b, x[i].double(), audio[i], heads) for i in range(samples)])
                         for b in range(blocks)])
    tensors = {f"weights.{key}": tensor for key, tensor in weights.items()}
    tensors |= {"input.windows": windows, "input.tokens": x.flatten(1, 2).contiguous(), "output.audio": audio.float(),
                "output.added": added.flatten(2, 3).float().contiguous(),
                "sizes": torch.tensor([frames, *grid, stride, window, layers, audio_dim, hidden, tokens, width, dim, heads, blocks])}
    save_file(tensors, folder / f"{name}.safetensors")


def manifest(folder, listed):
    rows = {}
    for line in pathlib.Path(listed).read_text().splitlines():
        model, name, shape = line.split("\t")
        if model == "multitalk-extra":
            found = re.fullmatch(r"blocks\.(\d+)\.(.*)", name)
            rows.setdefault(("blocks.", found[2], shape) if found else (name, "", shape), []).append(found and int(found[1]))
    lines = []
    for (head, tail, shape), numbers in sorted(rows.items()):
        if numbers != [None]:
            assert sorted(numbers) == list(range(len(numbers)))
            head += f"0-{len(numbers) - 1}."
        lines.append(f"{head}{tail}\t{shape}\n")
    (folder / "multitalk_manifest.tsv").write_text("name\tshape\n" + "".join(lines))


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    case(out, "layers_official_shape", 1, 2, 3, (2, 3), 4, 5, 3, 6, 16, 5, 12, 24, 3, 2)
    case(out, "layers_pocket_shape", 2, 2, 5, (2, 2), 1, 5, 1, 8, 12, 2, 8, 16, 2, 1)
    case(out, "layers_stride_two", 3, 1, 4, (1, 3), 2, 3, 2, 5, 10, 3, 6, 20, 5, 1)
    case(out, "layers_one_frame", 4, 1, 1, (3, 2), 4, 7, 2, 4, 9, 4, 5, 16, 4, 2)
    case(out, "layers_long", 5, 1, 6, (1, 2), 8, 5, 1, 12, 24, 8, 16, 32, 4, 1)
    if len(sys.argv) > 2:
        manifest(out, sys.argv[2])
