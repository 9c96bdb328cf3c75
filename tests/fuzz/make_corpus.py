#!/usr/bin/env python3
"""Writes the seed inputs of the fuzz targets into corpus/, always the same bytes. Needs ffmpeg for the videos."""

import io
import json
import pathlib
import struct
import subprocess
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "data" / "model"
CHECKPOINTS = HERE.parent / "data" / "io" / "pth"


def safetensors(tensors, metadata=None):
    """Bytes of a file; `tensors` is name -> (dtype, shape, data)."""
    header, offset = ({"__metadata__": metadata} if metadata else {}), 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def shapes(fixture, prefix, rename=""):
    """The names and shapes of a fixture's tensors, as lines of text."""
    raw = (MODELS / f"{fixture}.safetensors").read_bytes()
    header = json.loads(raw[8:8 + struct.unpack("<Q", raw[:8])[0]])
    lines = [f"{rename}{name.removeprefix(prefix)} {'x'.join(map(str, info['shape']))}\n"
             for name, info in header.items() if name.startswith(prefix)]
    return "".join(lines).encode()


def bank(entries, offsets=0):
    rows = [[e % 4, e, e, e, 0, 0.25 * e, -0.25 * e, 1 - 0.25 * e, offsets] for e in range(entries)]
    tensors = {
        "time_grid.counters": ("I64", [4], struct.pack("<4q", 4, entries, entries, 0)),
        "time_grid.entries": ("F64", [entries, 9], b"".join(struct.pack("<9d", *row) for row in rows)),
    }
    for e in range(entries):
        data = struct.pack("<4f", 1, -1, 0.5, e)
        tensors[f"time_grid.{e:06d}.residual"] = ("F32", [1, 1, 2, 2], data)
        if offsets & 1:
            tensors[f"time_grid.{e:06d}.data_offset"] = ("F32", [1, 1, 2, 2], data)
    return safetensors(tensors)


def film(name, codec, seconds="0.3"):
    """A tiny film of FFmpeg's test picture."""
    path = HERE / "corpus" / "fuzz_video" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc=s=32x32:r=10:d={seconds}",
                    *codec, "-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact",
                    "-map_metadata", "-1", str(path)], check=True)


def sound(name, codec, seconds="0.1"):
    """A tone, of two channels at 11,025 Hz."""
    path = HERE / "corpus" / "fuzz_sound" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"sine=r=11025:d={seconds}", "-ac", "2",
                    *codec, "-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1", str(path)], check=True)


def npz(values, points):
    """A file of numpy.savez with one array of float32, [1, points, 3]."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (1, {points}, 3), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    array = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}f", *values)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("keypoints.npy"), array)
    return out.getvalue()


def turned(name, target):
    """The same JPEG with an orientation in EXIF."""
    folder = HERE / "corpus" / "fuzz_video"
    body = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 274, 3, 1, 6, 0) + bytes(4)
    data = (folder / name).read_bytes()
    (folder / target).write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])


def main():
    small = ("F32", [2, 1], struct.pack("<2f", 1, 2))
    seeds = {
        "fuzz_safetensors/empty": safetensors({}),
        "fuzz_safetensors/two": safetensors({"a": small, "b": ("I64", [], struct.pack("<q", 7))}, {"format": "pt"}),
        "fuzz_safetensors/types": safetensors(
            {t: (t, [n], bytes(n * s)) for t, n, s in
             (("F64", 1, 8), ("F16", 2, 2), ("BF16", 2, 2), ("U8", 3, 1), ("BOOL", 1, 1), ("F8_E4M3", 0, 1))}),
        "fuzz_safetensors/overlap": safetensors({"a": small}).replace(b"[0,8]", b"[4,8]"),
        "fuzz_ini/options": b"# a comment\n[fuzz]\nflag = yes\ncount = 3\nrate = 2.5e-1\ntext = \"a # b\" ; c\n"
                            b"counts = 1, 2\nrates = 0.1,0.9\nnames = x, y\ncolour = green\n",
        "fuzz_ini/arms": b"[experiment]\nname = a\n\n[arm.one]\ntraining.steps = 0\n\n[metric.psnr]\n",
        "fuzz_csv/plain": b"clip_id,prompt\na.mp4,a cat\r\nb.mp4,\"a \"\"dog\"\", asleep\"\n",
        "fuzz_csv/lines": b"\xef\xbb\xbf\"one\ntwo\",,\n\n\"\"\n",
        "fuzz_film_record/clips": b'{"format": 1, "height": 32, "width": 32, "enlargement": 6, "clips": [{"first_frame": 0, "frames": 4, "prompt": "a"}, {"first_frame": 4, "frames": 5, "prompt": "\\u00e9"}]}',
        "fuzz_film_record/none": b'{"format": 1, "height": 480, "width": 832, "enlargement": 1, "clips": []}',
        "fuzz_prompt/scene": b"a red disc moving left over three bands, layout 5: top green, middle blue, bottom yellow",
        "fuzz_prompt/other": "eine Katze, 2 Hunde \u00e9t\u00e9".encode(),
        # The first byte chooses the form.
        "fuzz_prompt_file/lines": b"0# a film\n a cat\r\na dog \xf0\x9f\x90\x88\n",
        "fuzz_prompt_file/literal": b"0prompts = [\n 'a\\'s' u\"b\", # one\n r'\\d', \"\"\"two\nlines\"\"\", '\\x41\\u00e9\\101']\n",
        "fuzz_prompt_file/python": b"1prompts=['a','b' 'c']",
        "fuzz_prompt_file/json": b'2{"prompts": ["a\\ud83d\\udc08", {"prompt": "b", "duration": 2.5, "seed": 3, "transition": "cut", "image": "c.png"}]}',
        "fuzz_prompt_file/yaml": b"3%YAML 1.2\n---\nprompts:\n- a\n- prompt: >\n    b\n    c\n  clips: 3\n- {prompt: 'd: e', transition: continue}\n- \"\\u00e9\"\n",
        "fuzz_prompt_file/extras": b"3- &a [x, *a]\n- !!str b\n- ? c\n  : d\n- |+\n  e\n",
        "fuzz_text/entities": b"&lt;b&gt; &amp;eacute &#8217; &#xD800; &NTILDE; &notit;",
        "fuzz_text/mojibake": "caf\u00c3\u00a9 \u00e2\u20ac\u2122s voil\u00c3  \u0420\u045f\u0421\u0402 \x1b[31m\ufb01\uff21".encode(),
        "fuzz_prompt_file/escapes": b'3- "\\N \\_ \\L \\P \\e \\x41 \\u00e9 \\U0001f408"\n',
        "fuzz_prompt_file/stray": b"3,prompt *\ns+*!!-a fffn] ",
        "fuzz_key_points/two.json": b"0" + json.dumps([{"canvas_width": 64, "canvas_height": 48, "people": [
            {"pose_keypoints_2d": [k % 40 for k in range(54)], "hand_left_keypoints_2d": [0.5] * 63}]},
            {"people": []}]).encode(),
        "fuzz_key_points/folder.json": b"2" + json.dumps({"people": [{"pose_keypoints_2d": [0.25] * 75}] * 2}).encode(),
        "fuzz_key_points/body.npz": b"1" + npz([0.5] * 54, 18),
        "fuzz_key_points/whole.npz": b"1" + npz([0.01 * k for k in range(402)], 134),
        "fuzz_bank/none": bank(0),
        "fuzz_bank/three": bank(3),
        "fuzz_bank/offsets": bank(2, offsets=5),
        "fuzz_weights/dit": shapes("dit_t2v", "weights."),
        "fuzz_weights/dit_image": shapes("dit_i2v_clip", "weights."),
        "fuzz_weights/vae": shapes("vae_small", "weights."),
        "fuzz_weights/lora": b"pipe.dit.blocks.0.self_attn.q.lora_A.default.weight 2x8\n"
                             b"pipe.dit.blocks.0.self_attn.q.lora_B.default.weight 8x2\n"
                             b"base_model.model.blocks.0.ffn.0.lora_A.weight 2x8\n"
                             b"base_model.model.blocks.0.ffn.0.lora_B.weight 16x2\nblocks.0.ffn.0.alpha \n",
        "fuzz_weights/lora_mixed": b"lora_unet_blocks.0.self_attn.q.lora_down.weight 2x8\n"
                                   b"lora_unet_blocks_0_self_attn_q.lora_up.weight 8x2\n"
                                   b"generator_ema._orig_mod.transformer.proj_out.lora_A.weight 2x8\n"
                                   b"generator_ema._orig_mod.transformer.proj_out.lora_B.weight 8x2\n"
                                   b"blocks.0.diff_m 1x6x8\nblocks.0.norm3.diff 8\noptimizer.state.0 3\n",
        "fuzz_weights/copies": b"generator.model.time_projection.1.weight 4x4\n"
                               b"generator_ema.model._fsdp_wrapped_module.time_projection.1.weight 4x4\n"
                               b"generator_ema.model.time_projection.1.scale_weight 4x1\nscaled_fp8 0\n"
                               b"vae.decoder.conv1.weight 1\nn_averaged \noptimizer.0 2\n",
        "fuzz_weights/tied": b"encoder.final_layer_norm.weight 4\nshared.weight 9x4\nencoder.embed_tokens.weight 9x4\n"
                             b"decoder.block.0.layer.0.SelfAttention.q.weight 4x4\nlm_head.weight 9x4\n"
                             b"vision_model.embeddings.class_embedding 4\n"
                             b"vision_model.encoder.layers.0.self_attn.q_proj.bias 4\n"
                             b"vision_model.encoder.layers.0.self_attn.k_proj.bias 4\n"
                             b"vision_model.encoder.layers.0.self_attn.v_proj.bias 4\n",
        "fuzz_safetensors/gguf": b"GGUF\x03\0\0\0" + bytes(24),
        "fuzz_safetensors/onnx": b"\x08\x07\x12\x07pytorch\x1a\x03",
        "fuzz_safetensors/pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab12\nsize 28577120000\n",
        "fuzz_safetensors/page": b"<!DOCTYPE html>\n<html>",
    }
    for name in ("good_protocol2", "good_protocol4", "good_wrapped", "good_trainer", "good_script",
                 "hostile_outside", "hostile_overlap", "hostile_loop", "good_old", "hostile_old_count"):
        seeds[f"fuzz_pth/{name}"] = (CHECKPOINTS / f"{name}.pth").read_bytes()
    for name, data in seeds.items():
        path = HERE / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    sound("pcm.wav", ["-c:a", "pcm_s16le"], "0.05")
    sound("eight_bit.wav", ["-c:a", "pcm_u8"], "0.05")
    sound("float.wav", ["-c:a", "pcm_f32le"], "0.02")
    sound("aac.m4a", ["-c:a", "aac"])
    sound("flac.flac", ["-c:a", "flac"])
    sound("adpcm.wav", ["-c:a", "adpcm_ima_wav"])
    sound("opus.ogg", ["-c:a", "libopus", "-ar", "16000"])
    film("h264.mp4", ["-c:v", "libx264", "-x264-params", "threads=1:lookahead-threads=1"])
    film("ffv1.mkv", ["-c:v", "ffv1", "-slices", "4"], "0.1")
    film("still.png", ["-frames:v", "1"])
    film("still.jpg", ["-frames:v", "1"])
    film("still.webp", ["-frames:v", "1", "-pix_fmt", "bgra", "-lossless", "1"])
    film("still.tiff", ["-frames:v", "1", "-pix_fmt", "rgb24", "-compression_algo", "raw"])
    film("still.bmp", ["-frames:v", "1"])
    film("animated.gif", ["-vf", "scale=16:16"])
    film("wide.ts", ["-vf", "setsar=2", "-c:v", "mpeg2video"], "0.2")
    turned("still.jpg", "turned.jpg")


if __name__ == "__main__":
    main()
