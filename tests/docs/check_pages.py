"""Checks the Markdown pages of a source tree: line length, links, anchors, and paths named in the text.

    check_pages.py [ROOT]            checks every page; exit code 1 if anything is wrong
    check_pages.py --self-test       checks that each kind of mistake is found

A line has at most 120 columns. Tables, and lines that only a link's target makes longer, are excepted. A relative link
must lead to a file, and its #anchor to a heading there. A path in back quotes, such as `tools/test`, must exist.
Addresses on the web are not visited.
"""

import argparse
import fnmatch
import pathlib
import re
import sys
import tempfile
import unicodedata

LIMIT = 120
SKIPPED = ("build*", "results", "log", ".*")
FENCE = re.compile(r"^\s*(```|~~~)")
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
HTML_LINK = re.compile(r"<(?:a|img)\b[^>]*?(?:href|src)=\"([^\"]+)\"")
CODE = re.compile(r"(`+)(.+?)\1")
PATH = re.compile(r"(?:analysis|apps|benchmarks|cmake|docs|experiments|libsvi|plugins|svi|tests|tools|data)/[\w./*-]*[\w*/]")


def pages(root):
    for page in sorted(root.rglob("*.md")):
        parts = page.relative_to(root).parts
        if not any(fnmatch.fnmatch(part, skipped) for part in parts for skipped in SKIPPED):
            yield page


def text_lines(text):
    """[(number, line, in code block)]."""
    found, fenced = [], False
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line) is not None
        found.append((number, line, fenced or fence))
        fenced ^= fence
    return found


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    seen, names = {}, set()
    for _, line, code in text_lines(text):
        heading = None if code else re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if not heading:
            continue
        title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "")
        name = "".join("-" if c == " " else c for c in title.lower()
                       if c in " -_" or unicodedata.category(c)[0] in "LNM")
        count = seen.get(name, 0)
        seen[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names


def width(line):
    """Columns of the text that a reader sees: without the targets of links."""
    return len(re.sub(r"\]\([^)\s]+\)", "]", line)) if LINK.search(line) else len(line)


def link_problem(root, page, target):
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    path, _, anchor = target.partition("#")
    file = page if not path else (root if path.startswith("/") else page.parent) / path.lstrip("/")
    if not file.exists():
        return f"the link to {target} leads to no file"
    if anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
        return f"the link to {target} leads to no heading"
    return None


def path_problem(root, page, code):
    if not PATH.fullmatch(code) or "/my_" in code:  # my_...: a name that the reader chooses
        return None
    places = [root, root / "libsvi/include", root / "libsvi/internal", page.parent]
    if any(next(iter(place.glob(code.rstrip("/"))), None) for place in places):
        return None
    return f"`{code}` does not exist"


def problems(root):
    for page in pages(root):
        name = page.relative_to(root).as_posix()
        for number, line, code in text_lines(page.read_text(encoding="utf-8")):
            found = []
            if not line.startswith("|") and width(line) > LIMIT:
                found.append(f"{width(line)} columns; the limit is {LIMIT}")
            if not code:
                bare = CODE.sub("", line)
                targets = LINK.findall(CODE.sub("code", line)) + HTML_LINK.findall(bare)
                found += [link_problem(root, page, target) for target in targets]
                found += [path_problem(root, page, match[2]) for match in CODE.finditer(line)]
            yield from (f"{name}:{number}: {text}" for text in found if text)


def self_test():
    good = "# A page\n\n## Two words, `code`\n\n[a](#two-words-code) [b](docs/b.md#b-b) `docs/b.md` `docs/*.md`\n"
    mistakes = {
        "x" * 121 + "\n": "121 columns",
        "[a](docs/none.md)\n": "leads to no file",
        "[a](docs/b.md#none)\n": "leads to no heading",
        "[a](#none)\n": "leads to no heading",
        '<img src="docs/none.png">\n': "leads to no file",
        "![a](docs/none.png)\n": "leads to no file",
        "`docs/none.md`\n": "does not exist",
    }
    allowed = ["| " + "x" * 121 + " |\n", "[a](https://example.org/" + "x" * 121 + ")\n", "```\n[a](none.md)\n```\n",
               "`[a](none.md)`\n", "`docs/<name>.md`\n"]
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "docs").mkdir()
        (root / "docs/b.md").write_text("# B, b\n")
        for extra, expected in [("", None), *mistakes.items(), *((text, None) for text in allowed)]:
            (root / "a.md").write_text(good + extra)
            found = list(problems(root))
            if (len(found) != 1 or expected not in found[0]) if expected else found:
                sys.exit(f"check_pages.py --self-test: {extra!r} should give {expected!r}, but gave {found}")
    print(f"check_pages.py: {len(mistakes)} kinds of mistakes found")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path, nargs="?", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        self_test()
        return
    found = list(problems(arguments.root.resolve()))
    if found:
        sys.exit("\n".join(found))
    print(f"{len(list(pages(arguments.root)))} pages are in order")


if __name__ == "__main__":
    main()
