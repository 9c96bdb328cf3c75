"""Does what a page of the documentation tells its reader to do, in an empty folder.

    run_blocks.py PAGE.md [--build BUILD_FOLDER] [--cmake CMAKE] [--tree SOURCE_FOLDER] [--keep FOLDER]

On the page, a comment before a fenced block says what to do with it: `<!-- run -->` runs it by bash,
`<!-- file: NAME -->` saves it, `<!-- shows: FILE -->` wants these lines in a file that is there; `<!-- expect: TEXT -->` after a block wants TEXT in what it printed. All blocks share one
shell, so folders and variables carry over. With --build, svi is installed from there first; SVI_PREFIX says where,
SVI_BUILD is the build folder and SVI_SOURCE the source tree.
With --tree, the folder looks like a source tree whose build/ is the build folder, and nothing is installed.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MARK = "====== block at line"
BLOCK = re.compile(r"^<!-- (run|file: (?P<file>\S+)|shows: (?P<shown>\S+)) -->\n```\w*\n(?P<text>.*?)^```\n(?:<!-- expect: (?P<expect>.*?) -->\n)?",
                   re.MULTILINE | re.DOTALL)


def blocks(page):
    """(line, file or None, file that has it or None, text, expected or None) of each marked block, in order."""
    text = page.read_text(encoding="utf-8")
    found = [(text[:match.start()].count("\n") + 1, match["file"], match["shown"], match["text"], match["expect"])
             for match in BLOCK.finditer(text)]
    marks = len(re.findall(r"^<!-- (run|file|shows|expect)", text, re.MULTILINE))
    if marks != sum(1 + (block[4] is not None) for block in found):
        sys.exit(f"{page}: a run, file or expect comment stands by itself; it must touch its block")
    return found


def script(found):
    lines = ["set -eu -o pipefail"]
    for line, file, shown, text, _ in found:
        lines.append(f"echo '{MARK} {line}'")
        if shown:
            lines.append(f"shown_block=$(cat <<'END_OF_FILE_BLOCK'\n{text}END_OF_FILE_BLOCK\n)")
            lines.append(f'[[ $(< {shown}) == *"$shown_block"* ]] || {{ echo "{shown} has other lines"; exit 1; }}')
        else:
            lines.append(f"cat > {file} <<'END_OF_FILE_BLOCK'\n{text}END_OF_FILE_BLOCK" if file else text.rstrip("\n"))
    return "\n".join(lines) + "\n"


def check(page, found, done):
    """Names the block that failed, or that did not print what it should."""
    parts = re.split(rf"^{MARK} (\d+)\n", done.stdout, flags=re.MULTILINE)
    printed = {int(line): output for line, output in zip(parts[1::2], parts[2::2])}
    if done.returncode != 0:
        last = max(printed, default=0)
        sys.exit(f"{page}:{last}: this block ended with exit code {done.returncode}:\n{printed.get(last, done.stdout)}")
    for line, _, _, _, expected in found:
        if expected is not None and expected not in printed[line]:
            sys.exit(f"{page}:{line}: this block should have printed '{expected}', but printed:\n{printed[line]}")


def link_tree(work, tree, build):
    """Everything of a source tree but what a reader's commands write."""
    for entry in tree.iterdir():
        if not entry.name.startswith((".", "build")) and entry.name not in ("results", "log"):
            (work / entry.name).symlink_to(entry)
    (work / "build").symlink_to(build)


def run(page, folder, build, cmake, tree):
    environment = dict(os.environ)
    if build and not tree:
        prefix = folder / "prefix"
        installed = subprocess.run([cmake, "--install", build, "--prefix", prefix], capture_output=True, text=True, check=False)
        if installed.returncode != 0:
            sys.exit(f"cmake --install {build} failed:\n{installed.stderr}")
        environment |= {"SVI_PREFIX": str(prefix), "SVI_BUILD": str(build.resolve()), "SVI_SOURCE": str(SOURCE)}
    found = blocks(page)
    if not found:
        sys.exit(f"{page}: no block is marked <!-- run -->")
    work = folder / "work"
    work.mkdir()
    if tree:
        link_tree(work, tree.resolve(), build.resolve())
    done = subprocess.run(["bash", "-c", script(found)], cwd=work, env=environment, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    check(page, found, done)
    print(f"{page.name}: {len(found)} blocks did what the page says")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, help="build folder to install svi from")
    parser.add_argument("--cmake", default="cmake")
    parser.add_argument("--tree", type=pathlib.Path, help="source tree that the page's paths belong to; needs --build")
    parser.add_argument("--keep", type=pathlib.Path, help="an empty folder to work in, which stays")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        run(arguments.page, arguments.keep.resolve(), arguments.build, arguments.cmake, arguments.tree)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(arguments.page, pathlib.Path(folder), arguments.build, arguments.cmake, arguments.tree)


if __name__ == "__main__":
    main()
