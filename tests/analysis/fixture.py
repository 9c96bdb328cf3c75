"""A synthetic result folder as svi-experiment writes it, for the tests: curves whose numbers are known, and films."""

import json
import subprocess

import h5py
import numpy as np

ARMS = ["base", "plain", "no_image", "erft"]
LABELS = ["base chaining", "plain fine-tuning", "ERFT without image error", "ERFT, 100 % & {more}: it's"]
SEEDS, SCENES, CLIPS, FRAMES, STEPS = 3, 4, 12, 49, 30
CLIP = ("psnr", "motion", "pocket_consistency", "pocket_quality", "seam_jump")
SIGMAS, SIDE, FREQUENCIES = 5, 8, 6
DRIFT_CLIPS = [0, 4, 11]  # that the error map looked at, counted from 0
DIRECTIONS = ["brightness", "tint", "low_frequency", "noise"]
INI = """# A question.
[experiment]
name = study
question = Does it fall?

[training]
steps = 30

[injection]
type = bernoulli
image_probability = 0.9

[arm.base]
label = base chaining
training.steps = 0

[arm.plain]
label = plain fine-tuning
error_source.type = none

[arm.no_image]
label = ERFT without image error
injection.image_probability = 0

[arm.erft]
label = ERFT, 100 % & {more}: it's
"""


def _attach(file, dataset, dimensions):
    for index, name in enumerate(dimensions):
        dataset.dims[index].label = name
        if name in file:
            dataset.dims[index].attach_scale(file[name])


def _scales(file):
    scales = {"arm": np.array(ARMS, "S"), "seed": np.arange(SEEDS), "scene": np.array([f"s{i}" for i in range(SCENES)], "S"),
              "clip": np.arange(CLIPS), "frame": np.arange(FRAMES), "step": np.arange(STEPS)}
    for name, values in scales.items():
        file[name] = values
        file[name].make_scale(name)
    file["arm"].attrs["labels"] = np.array(LABELS, h5py.string_dtype())
    file["frame"].attrs["fps"] = 8


def curves(index, length=CLIPS):
    """[arm, seed, scene, clip] of quantity `index`: 30 at first, falling by a known slope, and a little noise."""
    noise = np.random.default_rng(index)
    slopes = -0.5 * np.arange(len(ARMS))[::-1, None, None, None] / (index + 1)
    values = 30 + slopes * np.arange(length) + 0.01 * noise.standard_normal((len(ARMS), SEEDS, SCENES, length))
    values[0, 1:] = np.nan  # an untrained arm is rolled out once
    return values


def write_result(path, quantities=CLIP, whole=False):
    """The file alone; `whole`: with frames, sets, training curves, diagnostics, settings and provenance."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "1", "name": path.stem, "question": "Does it fall?", "svi_version": "0.1.0"})
        _scales(file)
        for index, name in enumerate(quantities):
            values = curves(index)
            if name == "seam_jump":
                values[..., 0] = np.nan  # no seam before the first clip
            dataset = file.create_dataset(f"metrics/clip/{name}", data=values)
            _attach(file, dataset, ("arm", "seed", "scene", "clip"))
            dataset.attrs.update({"unit": "dB" if name in ("psnr", "pocket_quality") else "1", "meaning": f"what {name} means",
                                  "higher_is_better": int(name != "seam_jump")})
            if name == "motion":
                dataset.attrs["better"] = "one"
        if whole:
            _write_whole(file)
            _write_cost(file)
    return path


def _write_cost(file):
    """Arm k takes 10 + k evaluations a clip; the first clip shows 5 frames, the others 4."""
    evaluations = np.broadcast_to(10.0 + np.arange(len(ARMS))[:, None, None, None], (len(ARMS), SEEDS, SCENES, CLIPS)).copy()
    evaluations[0, 1:] = np.nan
    shown = np.broadcast_to(np.where(np.arange(CLIPS) == 0, 5.0, 4.0), evaluations.shape).copy()
    shown[0, 1:] = np.nan
    for name, values in (("evaluations", evaluations), ("frames", shown)):
        _attach(file, file.create_dataset(f"cost/{name}", data=values), ("arm", "seed", "scene", "clip"))
        file[f"cost/{name}"].attrs.update({"unit": "1", "meaning": name})
    made = ~np.isnan(evaluations[..., 0])
    for name, value in (("cost/tokens", 9800.0), ("timing/seconds", 24.5), ("timing/peak_memory", 3.0 * 2**30)):
        _attach(file, file.create_dataset(name, data=np.where(made, value, np.nan)), ("arm", "seed", "scene"))


def _write_whole(file):
    noise = np.random.default_rng(7)
    frames = file.create_dataset("metrics/frame/psnr", data=curves(0, FRAMES))
    _attach(file, frames, ("arm", "seed", "scene", "frame"))
    frames.attrs.update({"unit": "dB", "meaning": "PSNR of each frame", "better": "higher"})
    distance = 1 + 0.1 * np.arange(CLIPS) * np.arange(1, len(ARMS) + 1)[::-1, None, None] \
        + 0.01 * noise.standard_normal((len(ARMS), SEEDS, CLIPS))
    distance[0, 1:] = np.nan
    sets = file.create_dataset("metrics/set/frechet", data=distance)
    _attach(file, sets, ("arm", "seed", "clip"))
    sets.attrs.update({"unit": "1", "meaning": "Frechet distance", "better": "lower"})
    for name, level in (("loss", 1.0), ("gradient_norm", 3.0), ("bank_entries", 40.0)):
        values = level * (0.3 + np.exp(-np.arange(STEPS) / 10)) + 0.02 * noise.standard_normal((len(ARMS), SEEDS, STEPS))
        values[0] = np.nan
        _attach(file, file.create_dataset(f"training/{name}", data=values), ("arm", "seed", "step"))
        file[f"training/{name}"].attrs.update({"unit": "1", "meaning": name})
    _write_diagnostics(file, noise)
    file["original_ini"] = file["resolved_ini"] = INI
    made = file.create_group("provenance")
    made.attrs.update({"svi_version": "0.1.0", "commit": "a" * 40, "torch": "2.11.0", "device": "cpu", "ranks": "2",
                       "host": "<node&1>", "started": "2026-11-25T07:00:00Z"})


def _write_diagnostics(file, noise):
    axes = {"loop_gain": {"direction": np.array(DIRECTIONS, "S"), "clip": np.arange(CLIPS)},
            "error_map": {"sigma": np.linspace(0.1, 1, SIGMAS), "latent_frame": np.arange(5), "clip": DRIFT_CLIPS,
                          "k": np.arange(FREQUENCIES)}}
    for name, scales in axes.items():
        for dimension, values in scales.items():
            file[f"diagnostic/{name}/{dimension}"] = values
            file[f"diagnostic/{name}/{dimension}"].make_scale(dimension)

    def add(path, own, sizes, values=None):
        shape = (len(ARMS), SEEDS, *sizes)
        data = np.abs(noise.standard_normal(shape)) if values is None else np.broadcast_to(values, shape).copy()
        data[0, 1:] = np.nan
        dataset = file.create_dataset(f"diagnostic/{path}", data=data)
        for index, dimension in enumerate(("arm", "seed", *own)):
            dataset.dims[index].label = dimension
            scale = f"diagnostic/{path.split('/')[0]}/{dimension}"
            if scale in file:
                dataset.dims[index].attach_scale(file[scale])
        dataset.attrs.update({"unit": "1", "meaning": f"what {path} means"})

    gain = np.array([1.05, 1.02, 0.98, 0.6])[:, None, None] - 0.02 * np.arange(len(DIRECTIONS))
    count = len(DIRECTIONS)
    for name, values in (("gain", gain), ("gain_low", gain - 0.05), ("gain_high", gain + 0.05), ("bias", gain * 0 + 0.1),
                         ("fresh", gain * 0 + 0.2), ("total_gain", gain)):
        add(f"loop_gain/{name}", ["direction"], [count], values)
    clip = np.arange(1, CLIPS + 1)
    rms = gain[..., None] ** clip * 0.1 + 0.02 * clip
    add("loop_gain/predicted_rms", ["direction", "clip"], [count, CLIPS], rms)
    add("loop_gain/measured_rms", ["direction", "clip"], [count, CLIPS], rms * 1.1)
    pixels, clips = 4 * SIDE, len(DRIFT_CLIPS)
    add("error_map/one_step_rms", ["sigma", "latent_frame"], [SIGMAS, 5])
    add("error_map/one_step_map", ["sigma", "h", "w"], [SIGMAS, SIDE, SIDE])
    add("error_map/one_step_pixel_map", ["sigma", "H", "W"], [SIGMAS, pixels, pixels])
    add("error_map/one_step_spectrum", ["sigma", "k"], [SIGMAS, FREQUENCIES])
    add("error_map/mean_error_rms", ["sigma"], [SIGMAS])
    add("error_map/drift_rms", ["clip"], [clips])
    add("error_map/drift_map", ["clip", "H", "W"], [clips, pixels, pixels])
    add("error_map/drift_spectrum", ["clip", "k"], [clips, FREQUENCIES])
    add("error_map/size_ratio", ["clip", "sigma"], [clips, SIGMAS])
    add("error_map/map_correlation", ["clip", "sigma"], [clips, SIGMAS])


def write_film(path, hue, frames=FRAMES, size=48):
    """A square that moves over a background that darkens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    video = np.zeros((frames, size, size, 3), np.uint8)
    for t in range(frames):
        video[t, :, :, hue] = 220 - 3 * t
        video[t, 8:20, t % 30:t % 30 + 12] = 255
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size}x{size}",
                    "-r", "8", "-i", "-", "-c:v", "libx264", "-pix_fmt", "yuv420p", path], input=video.tobytes(), check=True)


def write_folder(folder, scenes=2):
    """results/study: the result file with everything in it, and films of the truth and three arms."""
    folder.mkdir(parents=True, exist_ok=True)
    write_result(folder / "study.h5", whole=True)
    for hue, arm in enumerate(("truth", "base", "erft", "plain")):
        for scene in range(scenes):
            write_film(folder / "videos" / arm / f"scene{scene}.mp4", (hue + scene) % 3)
    (folder / "summary.json").write_text(json.dumps({"name": "study"}), encoding="utf-8")
    return folder
