#!/usr/bin/env python3
"""Writes tests/data/vision/sync.safetensors and syncnet_tensors.tsv; takes english.wav of python_speech_features (MIT).

Oracles: python_speech_features 0.6 on the samples of that file, taken as 16 kHz; the SyncNet of syncnet-python 0.2.3 (PyPI) on hashed weights;
its distances and their reading (SyncNetInstance) written plainly here, in NumPy, from a description of it;
scipy's medfilt for the smoothing of tracks.
Needs the oracle environment (torch, python_speech_features, syncnet-python, scipy, safetensors).
"""
import importlib.util
import pathlib
import sys

import numpy
import torch
from python_speech_features import mfcc
from safetensors.torch import save_file
from scipy.io import wavfile
from scipy.signal import medfilt

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "support"))
from hashed_weights import fill, hashed  # noqa: E402

OUT = TESTS / "data" / "vision"


def syncnet():
    root = pathlib.Path(importlib.util.find_spec("syncnet_python").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("SyncNetModel", root / "SyncNetModel.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.S()


def distances(seen, heard, reach=15):
    """Mean over windows of the distance at every shift, zeros beyond both ends of the sound; fp64."""
    zeros = numpy.zeros([reach, heard.shape[1]])
    padded = numpy.concatenate([zeros, heard, zeros])
    rows = [numpy.linalg.norm(seen[i] - padded[i:i + 2 * reach + 1] + 1e-6, axis=1) for i in range(len(seen))]
    return numpy.mean(rows, axis=0)


def film_scores(model, frames, samples):
    """Sync-C, Sync-D and offset of frames [T, 3, 224, 224] BGR and int16 samples, window by window."""
    count = min(len(frames), len(samples) // 640) - 5
    coefficients = torch.from_numpy(mfcc(samples, 16000).T.copy())
    with torch.no_grad():
        seen = [model.forward_lip(frames[i:i + 5].transpose(0, 1)[None])[0] for i in range(count)]
        heard = [model.forward_aud(coefficients[None, None, :, 4 * i:4 * i + 20].float())[0] for i in range(count)]
    means = distances(torch.stack(seen).double().numpy(), torch.stack(heard).double().numpy())
    return numpy.array([numpy.median(means) - means.min(), means.min(), 15 - means.argmin()])


def main():
    samples = wavfile.read(sys.argv[1])[1][4000:17000]
    assert samples.dtype == numpy.int16 and samples.ndim == 1
    content = {"samples": torch.from_numpy(samples.copy())}
    every = torch.from_numpy(mfcc(samples, 16000))
    content["mfcc"] = every
    for length in (1, 400, 401, 560, 561):
        content[f"mfcc.short.{length}"] = torch.from_numpy(mfcc(samples[2000:2000 + length], 16000))
    content["mfcc.silence"] = torch.from_numpy(mfcc(numpy.zeros(800, dtype=numpy.int16), 16000))

    model = syncnet()
    lines = [f"{k}\t{' '.join(map(str, v.shape))}\n" for k, v in model.state_dict().items()]
    (OUT / "syncnet_tensors.tsv").write_text("".join(lines))
    fill(model)
    for tensor in model.netfclip[3].parameters():  # vectors of lips become about as long as those of sound
        tensor.data /= 16
    frames = ((hashed("sync.frames", [7, 3, 14, 14]) * 0.5 + 0.5) * 255).round()
    frames = frames.repeat_interleave(16, 2).repeat_interleave(16, 3)
    with torch.no_grad():
        content["seen"] = torch.cat([model.forward_lip(frames[i:i + 5].transpose(0, 1)[None]) for i in (0, 2)])
        windows = hashed("sync.sound", [3, 13, 20]) * 20
        content["heard"] = model.forward_aud(windows[:, None])

    seen, heard = hashed("lags.seen", [23, 6]), hashed("lags.heard", [23, 6])
    content["distances"] = torch.from_numpy(distances(seen.double().numpy(), heard.double().numpy()))
    track = (hashed("track", [40]) * 50 + 100).double()
    content["track"] = torch.from_numpy(medfilt(track.numpy(), 13))

    film = ((hashed("sync.film", [22, 3, 14, 14]) * 0.5 + 0.5) * 255).round()  # RGB
    film = film.flip(1).repeat_interleave(16, 2).repeat_interleave(16, 3)
    content["film"] = torch.from_numpy(film_scores(model, film, samples[:20 * 640 + 100]))
    save_file(content, OUT / "sync.safetensors")
    for key, value in content.items():
        print(key, list(value.shape), value.double().abs().mean().item())
    print(content["film"])


main()
