"""Makes tests/data/vision/{viclip,clip_tokens,clip_table}*: what the official ViCLIP says, on hashed weights.

The official code is that of the package vbench 0.1.5 (pip install --no-deps vbench==0.1.5); it is only run. OpenAI's
table of the tokenizer (MIT) is that of the package open_clip_torch; its first lines are enough.
"""
import functools
import gzip
import importlib.util
import pathlib
import sys
import tempfile
import types

import torch
from make_flow_fixtures import DATA, fill, frame, official, write_list
from safetensors.torch import save_file

MERGES = 1500  # of the table's 48894
LINES = [
    "A cat plays with a ball of wool, slowly panning left.",
    "it's they're we've I'm you'll she'd don't 'S 'T",
    "1234 frames at 23.976 fps; 4K!!! (50% off) -- e.g. #1 & @you",
    "  many \t spaces\n and lines  ",
    "naïve café, ÀÉÎÕÜ, Straße, ŒUVRE, İstanbul, ΣΊΣΥΦΟΣ",
    "漢字とカナ、한국어 и русский текст, עברית, العربية, ไทย",
    "emoji 😀👍🏽 and ½ ² Ⅷ ٣ ᛮ",
    "<|startoftext|>marks<|endoftext|> in a text <| or !<|endoftext|>",
    "&amp;lt;b&amp;gt; entities &eacute; and schÃ¶n",
    "",
    "a",
    "supercalifragilisticexpialidocious antidisestablishmentarianism " * 4,
    "In a still frame, a stop sign; the the the theatre of the absurd, thththth hhhh ttttt",
    "o'clock rock'n'roll l'été 'tis '''ll' 've",
    "tab\u00a0no-break\u2003em\u200bzero ﬁ ﬂ ① ｆｕｌｌ",
]


def small_table():
    path = pathlib.Path(importlib.util.find_spec("open_clip").origin).parent / "bpe_simple_vocab_16e6.txt.gz"
    return gzip.open(path, "rt", encoding="utf-8").read().split("\n")[: MERGES + 1]


def prepare(table):
    """Lets the official code import what it wants of vbench, with this table."""
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "ViCLIP").mkdir()
    with gzip.open(folder / "ViCLIP" / "bpe_simple_vocab_16e6.txt.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(table))
    try:
        import pkg_resources  # noqa: F401
    except ImportError:
        import packaging.version

        sys.modules["pkg_resources"] = types.SimpleNamespace(packaging=packaging)
    official("vbench.third_party")
    sys.modules["vbench.utils"] = types.SimpleNamespace(CACHE_DIR=str(folder))


def network():
    vision = official("vbench.third_party.ViCLIP.viclip_vision")
    text = official("vbench.third_party.ViCLIP.viclip_text")
    model = torch.nn.Module()
    model.vision_encoder = vision.VisionTransformer(42, 14, 128, 2, 2, output_dim=64)
    model.text_encoder = text.CLIP_TEXT(64, 32, 512 + MERGES + 2, 128, 2, 2, 0)
    fill(model)
    write_list("viclip_small_tensors.tsv", model)
    frames = torch.cat([frame(f"viclip.{i}", 42, 42) for i in range(8)]) / 255  # [8, 3, 42, 42]
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    prompt = LINES[0]
    with torch.no_grad():
        video = model.vision_encoder(((frames - mean) / deviation).transpose(0, 1)[None])[0]
        ids = model.text_encoder.tokenize([prompt, LINES[11]], context_length=32)
        words = model.text_encoder(ids)[0]
    video, words = video / video.norm(), words / words.norm()
    print("viclip", video @ words, video.std(), words.std())
    save_file({"video": video, "text": words, "ids": ids.long()}, DATA / "viclip.safetensors")
    torch.linspace = functools.partial(torch.linspace, device="cpu")  # its numbers are read
    with torch.device("meta"):
        full = torch.nn.Module()
        full.vision_encoder = vision.clip_joint_l14()
        full.text_encoder = text.clip_text_l14(context_length=32, pretrained=False)
        full.temp = torch.nn.Parameter(torch.ones([]))
    write_list("viclip_tensors.tsv", full)


def tokens(tokenizer):
    lines = []
    for line in LINES:
        escaped = line.encode("unicode_escape").decode()
        lines.append(f"{' '.join(map(str, tokenizer.encode(line)))}\t{escaped}\n")
    (DATA / "clip_tokens.tsv").write_text("".join(lines))


if __name__ == "__main__":
    table = small_table()
    (DATA / "clip_table.txt").write_text("\n".join(table) + "\n", encoding="utf-8")
    prepare(table)
    network()
    tokens(official("vbench.third_party.ViCLIP.simple_tokenizer").SimpleTokenizer())
