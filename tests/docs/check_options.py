"""Compares docs/options.md with what the program says of itself.

    check_options.py PROGRAM PAGE.md [--write]

Components of plugins that this build lacks (nccl_collective where there is no CUDA) are passed over; --write brings the
page up to date, keeping those.
"""

import argparse
import difflib
import os
import pathlib
import re
import subprocess
import sys

PLUGIN = re.compile(r"\(plugin (\S+) \S+\)\.$", re.MULTILINE)


def sections(text):
    """[(heading, text)] in order; a component's heading is told apart by its kind's."""
    parts, kind = [], ""
    for part in re.split(r"^(?=#{1,3} )", text, flags=re.MULTILINE):
        if not part.strip():
            continue
        heading = part.split("\n", 1)[0]
        kind = heading if heading.startswith("## ") else kind
        parts.append(((kind, heading), part))
    return parts


def said_by(program, *arguments):
    """What the program prints; plugins of the user's own do not belong on our page."""
    environment = {name: value for name, value in os.environ.items() if name != "SVI_PLUGIN_PATH"}
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env=environment,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{program} {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


def expected(program, page):
    """What the page should be: the program's text, with the page's sections of plugins that the program lacks."""
    text = said_by(program, "--describe", "all", "--format", "md")
    listed = said_by(program, "--list")
    ours = dict(sections(text))
    present = set(re.findall(r"\(plugin (\S+) ", listed))
    lacking = {key: part for key, part in sections(page)
               if key not in ours and (plugin := PLUGIN.search(part)) and plugin[1] not in present}
    # In the program's order: kinds as they come, components of a kind by name.
    kinds = list(dict.fromkeys(kind for kind, _ in [*ours, *lacking]))
    order = lambda item: (kinds.index(item[0][0]), item[0][1].startswith("###"), item[0][1])  # noqa: E731
    merged = sorted({**ours, **lacking}.items(), key=order)
    return "".join(part.rstrip("\n") + "\n\n" for _, part in merged).rstrip("\n") + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    page = arguments.page.read_text(encoding="utf-8") if arguments.page.exists() else ""
    wanted = expected(arguments.program, page)
    if arguments.write:
        arguments.page.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        lines = difflib.unified_diff(page.splitlines(), wanted.splitlines(), str(arguments.page), arguments.program, "", "", 1, "")
        sys.exit("\n".join(list(lines)[:60]) + f"\n{arguments.page} is not what the program says; bring it up to date by\n"
                 "  tools/check_docs --fix")
    print(f"{arguments.page.name}: {len(sections(wanted))} sections")


if __name__ == "__main__":
    main()
