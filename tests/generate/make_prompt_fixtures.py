#!/usr/bin/env python3
"""Writes tests/data/generate/: the same prompts by Python's own writers of list literals, JSON and YAML.

Needs PyYAML (the oracle environment of tools/setup has it); not part of the build.
`prompts.raw` holds them as they are, each with a zero byte behind it. Run from anywhere.
"""
import ast
import json
import pathlib
import random

import yaml

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "generate"

ALPHABET = "ab \"'\\\t\n#:,-[]{}*&!?|>%@`é森🐈"


def prompts():
    """Texts made to be hard to quote, none empty or with white space at an end."""
    rng = random.Random(7)
    made = {
        "a cat: asleep", "# no comment", "*bold*", "&c", "- dash", "null", "~", "true", "12", "1e3", "[a", "{b: c}",
        "\\n", "ends with \\", "it's \"quoted\"", "'''", '"""', "two\nlines", "🐈 in 森", "%YAML 1.2", "--- a", "...",
    }
    while len(made) < 200:
        made.add("".join(rng.choices(ALPHABET, k=rng.randint(1, 30))).strip() or "x")
    return sorted(made)


def main():
    texts = prompts()
    literal = "# as the reference keeps them\nprompts = [\n" + "".join(f"    {t!r},  # one\n" for t in texts) + "]\n"
    assert ast.literal_eval(literal.split("=", 1)[1].strip()) == texts
    forms = {
        "prompts.txt": literal,
        "prompts_ascii.txt": "prompts=[" + ", ".join(ascii(t) for t in texts) + "]",
        "prompts.json": json.dumps({"prompts": texts}, indent=1),
        "prompts_utf8.json": json.dumps(texts, ensure_ascii=False),
        "prompts.yaml": yaml.safe_dump(texts, allow_unicode=True),
        "prompts_ascii.yml": yaml.safe_dump({"prompts": [{"prompt": t, "clips": 1} for t in texts]}),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "prompts.raw").write_text("".join(t + "\0" for t in texts), encoding="utf-8")
    for name, text in forms.items():
        (OUT / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
