"""Writes golden.json of the methods that compete: numbers that the official implementations give for seeded random inputs.

    python make_rival_golden.py FRAMEPACK FREENOISE STREAMINGT2V plugins

The first three are clones of lllyasviel/FramePack, AILab-CVC/FreeNoise and Picsart-AI-Research/StreamingT2V; colour
matching is that of PyPI's color-matcher. Of the clones only the named functions, or the lines between two texts, are
run, because whole modules want their models. In double precision.
"""
import argparse
import ast
import json
import pathlib
import random
import subprocess
import sys
import textwrap
import types

import einops
import numpy
import torch


def definitions(path, names, scope):
    """Runs the named classes and functions of a file in `scope`; fp32 stands for double there."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    assert len(tree.body) == len(names), (path, names)
    source = ast.unparse(tree).replace("torch.float32", "torch.float64")
    exec(compile(source, str(path), "exec"), scope)
    return scope


def lines(path, begin, end, scope):
    """Runs the lines from the one that begins with `begin` to the one that begins with `end`."""
    text = path.read_text().splitlines()
    first = next(i for i, line in enumerate(text) if line.strip().startswith(begin))
    last = next(i for i, line in enumerate(text) if i >= first and line.strip().startswith(end))
    exec(compile(textwrap.dedent("\n".join(text[first:last + 1])), str(path), "exec"), scope)
    return scope


def source_of(clone, repository):
    commit = subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return {"repository": repository, "commit": commit.stdout.strip()}


def flat(tensor):
    return [round(float(value), 12) for value in tensor.reshape(-1)]


def framepack(clone):
    golden = source_of(clone, "lllyasviel/FramePack")
    module = clone / "diffusers_helper/models/hunyuan_video_packed.py"
    scope = definitions(
        module, ["HunyuanVideoRotaryPosEmbed", "HunyuanVideoPatchEmbedForCleanLatents", "pad_for_3d_conv",
                 "center_down_sample_3d"], {"torch": torch, "nn": torch.nn, "einops": einops})
    base = torch.nn.Conv3d(16, 4, (1, 2, 2), (1, 2, 2)).double()
    embed = scope["HunyuanVideoPatchEmbedForCleanLatents"](4).double()
    embed.initialize_weight_from_another_conv3d(base)
    rope = scope["HunyuanVideoRotaryPosEmbed"]((4, 4, 4), 10000.0)
    golden["weight"] = flat(base.weight)
    golden["bias"] = flat(base.bias)
    golden["groups"] = []
    for rate, frames in ((1, 2), (2, 2), (2, 3), (4, 6)):
        latent = torch.randn(1, 16, frames, 6, 10, dtype=torch.float64).round(decimals=3)
        indices = torch.arange(frames)[None] + 7
        kernel = (rate, 2 * rate, 2 * rate)
        projection = {1: embed.proj, 2: embed.proj_2x, 4: embed.proj_4x}[rate]
        tokens = projection(scope["pad_for_3d_conv"](latent, kernel)).flatten(2).transpose(1, 2)
        freqs = rope(indices, 3, 5, "cpu")
        if rate > 1:
            freqs = scope["center_down_sample_3d"](scope["pad_for_3d_conv"](freqs, (rate,) * 3), (rate,) * 3)
        cos, sin = freqs.flatten(2).transpose(1, 2)[0].chunk(2, dim=1)
        golden["groups"].append({"rate": rate, "frames": frames, "first": 7, "latent": flat(latent), "tokens": flat(tokens),
                                 "cos": flat(cos[:, ::2]), "sin": flat(sin[:, ::2])})
    golden["inverted"] = []
    for sections, window in ((1, 9), (3, 9), (4, 2), (6, 9), (9, 4)):
        scope = {"torch": torch, "total_latent_sections": sections}
        lines(clone / "demo_gradio.py", "latent_paddings = reversed", "latent_paddings = [3]", scope)
        rows = []
        for padding in scope["latent_paddings"]:
            inner = {"torch": torch, "latent_padding_size": padding * window, "latent_window_size": window}
            lines(clone / "demo_gradio.py", "indices = torch.arange", "clean_latent_indices = ", inner)
            rows.append(indices_beside(inner, ["clean_latent_indices", "clean_latent_2x_indices", "clean_latent_4x_indices"]))
        golden["inverted"].append({"sections": sections, "window": window, "told": rows})
    inner = {"torch": torch, "latent_window_size": 9}
    lines(clone / "demo_gradio_f1.py", "indices = torch.arange", "clean_latent_indices = ", inner)
    golden["forward"] = indices_beside(inner, ["clean_latent_indices", "clean_latent_2x_indices", "clean_latent_4x_indices"])
    return golden


def indices_beside(scope, names):
    """Indices of the history, counted from the section's first frame."""
    first = scope["latent_indices"][0, 0]
    return [int(index - first) for name in names for index in scope[name][0]]


def free_noise(clone):
    golden = source_of(clone, "AILab-CVC/FreeNoise")
    weigh = definitions(clone / "lvdm/modules/attention_freenoise.py", ["generate_weight_sequence"], {})
    golden["weights"] = [weigh["generate_weight_sequence"](n) for n in range(2, 18)]
    functions = clone / "scripts/evaluation/funcs.py"
    views = definitions(functions, ["get_views"], {})["get_views"]
    golden["views"] = [{"frames": f, "window": w, "stride": s, "first": [view[0] for view in views(f, w, s)]}
                       for f, w, s in ((64, 16, 4), (21, 5, 4), (21, 5, 2), (16, 16, 4))]
    golden["noise"] = []
    for frames, window, stride in ((64, 16, 4), (21, 5, 2), (21, 5, 4)):
        orders = []

        def shuffle(order, kept=orders):
            first = min(order)
            random.Random(len(kept)).shuffle(order)
            kept.append([value - first for value in order])

        scope = {"torch": torch, "random": types.SimpleNamespace(shuffle=shuffle), "channels": 2, "frames": frames, "h": 1,
                 "w": 2, "model": types.SimpleNamespace(device="cpu"),
                 "args": types.SimpleNamespace(n_samples=1, bs=1, frames=frames, window_size=window, window_stride=stride)}
        lines(clone / "scripts/evaluation/inference_freenoise.py", "x_T_total = torch.randn", "x_T_total[:, :, :, frame_index",
              scope)
        noise = scope["x_T_total"][0]
        golden["noise"].append({"window": window, "stride": stride, "frames": frames, "orders": orders,
                                "noise": flat(noise[:, :, :window]), "film": flat(noise)})
    golden["prompts"] = []
    for frames in (16, 21, 64):
        scope = {"torch": torch, "args": types.SimpleNamespace(frames=frames),
                 "cond": {"c_crossattn": [torch.tensor([[[0.0]], [[1.0]]], dtype=torch.float64)]}}
        lines(functions, "conditioning = cond[", "cond1 = torch.cat", scope)
        golden["prompts"].append({"frames": frames, "share": flat(scope["cond1"])})
    return golden


def streaming_t2v(clone):
    golden = source_of(clone, "Picsart-AI-Research/StreamingT2V")
    golden["steps"] = []
    for chunks, size, overlap, seed in ((3, 8, 3, 1), (3, 8, 3, 2), (5, 5, 2, 3), (2, 38, 12, 4)):
        drawn, calls = [], []

        def randint(low, high, kept=drawn, seed=seed):
            kept.append(random.Random(100 * seed + len(kept)).randint(low, high))
            return kept[-1]

        def step(noise, t, latents, kept=calls):
            kept.append(0)
            return types.SimpleNamespace(prev_sample=torch.full_like(latents, float(len(kept) - 1)))

        frames = chunks * (size - overlap) + overlap
        scope = {"torch": torch, "random": types.SimpleNamespace(randint=randint), "latents": torch.zeros(1, 1, frames, 1, 1),
                 "image_latents_list": [None] * chunks, "image_embeddings_list": [None] * chunks, "chunk_size": size,
                 "overlap_size": overlap, "t": 0, "prompt_embeds": None, "fps_tensor": None, "cross_attention_kwargs": None,
                 "use_memopt": False, "extra_step_kwargs": {}, "guidance_scale": 1}
        scope["self"] = types.SimpleNamespace(
            do_classifier_free_guidance=False, unet=lambda x, *_, **__: [x],
            scheduler=types.SimpleNamespace(scale_model_input=lambda x, t: x, step=step))
        lines(clone / "code/i2v_enhance/pipeline_i2vgen_xl.py", "latents_denoised = torch.empty_like", "latents = latents_denoised",
              scope)
        golden["steps"].append({"window": size, "overlap": overlap, "begins": [0, *drawn],
                                "writer": [int(value) for value in scope["latents"].reshape(-1)]})
    return golden


def color_match():
    import color_matcher

    golden = {"package": "color-matcher", "version": "0.6.0", "maps": []}
    maker = numpy.random.default_rng(5)
    for height, width in ((6, 8), (9, 5)):
        mix = maker.normal(size=(3, 3)) * 0.3 + numpy.eye(3)
        source = (maker.random((height, width, 3)) @ mix).round(6)
        reference = maker.random((7, 7, 3)).round(6) ** 2
        moved = color_matcher.ColorMatcher().transfer(src=source.copy(), ref=reference.copy(), method="mkl")
        golden["maps"].append({"height": height, "width": width, "source": flat(torch.from_numpy(source)),
                               "reference": flat(torch.from_numpy(reference)), "moved": flat(torch.from_numpy(moved))})
    return golden


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("framepack", "freenoise", "streamingt2v", "plugins"):
        parser.add_argument(name, type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    made = {"framepack": framepack(arguments.framepack), "free_noise": free_noise(arguments.freenoise),
            "streaming_t2v": streaming_t2v(arguments.streamingt2v), "color_match": color_match()}
    for name, golden in made.items():
        path = arguments.plugins / name / "golden.json"
        path.write_text(json.dumps(golden) + "\n")
        print(path, path.stat().st_size, file=sys.stderr)


if __name__ == "__main__":
    main()
