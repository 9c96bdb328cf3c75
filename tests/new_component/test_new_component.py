"""Makes a component of each kind in an empty tree, checks it as CI checks plugins, and compiles it.

    test_new_component.py BUILD_FOLDER [--ninja NINJA] [--run KIND ...]

Sources and tests are checked by the compiler (-fsyntax-only), with the flags that the build has for a plugin and its
test; components of the kinds after --run are built, and their tests and experiments run. By default these are the kinds
that no recipe of docs/cookbook.md runs.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import build_flags  # noqa: E402

LIKE = "split_guidance"  # the plugin whose flags are taken
DEEPER = ["error_source", "injection", "memory", "diagnostic", "sampler"]


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def want(done, what, code=0, fragment=""):
    said = done.stdout + done.stderr
    if done.returncode != code or fragment not in said:
        sys.exit(f"{what}: exit code {done.returncode}, wanted {code} and '{fragment}':\n{said}")


def empty_tree(folder):
    """What tools/new_component and the checkers look at, without any plugin."""
    for name in ("tools", "docs", "libsvi"):
        (folder / name).mkdir()
    for name in ("libsvi/LAYERS", "libsvi/include", "tests", "data", ".clang-format"):
        (folder / name).symlink_to(ROOT / name)
    for file in ("tools/new_component", "docs/options.md"):
        shutil.copy(ROOT / file, folder / file)
    (folder / "tools/templates").symlink_to(ROOT / "tools/templates")
    (folder / "plugins").mkdir()
    for plugin in sorted((ROOT / "plugins").glob("*/README.md")):  # the pages of new components name some
        (folder / "plugins" / plugin.parent.name).symlink_to(plugin.parent)
    return folder


def refuses_bad_names(tree):
    tool = tree / "tools/new_component"
    cases = (
        ("worlds", "one", "the kinds are method, guidance"),
        ("metric", "One", "is no name"),
        ("metric", "one__two", "is no name"),
        ("metric", "x" * 41, "is no name"),
        ("metric", "class", "is a word of C++"),
        ("metric", "one_test", "is a word of C++"),
        ("metric", "memory", "a folder of tests"),
        ("metric", "psnr", "svi has a metric 'psnr' already"),
        ("world", "pocket_world", "svi has a world 'pocket_world' already"),
        ("metric", "try_metric", "is there already"),
    )
    for kind, name, fragment in cases:
        want(run(tool, kind, name), f"new_component {kind} {name}", 1, fragment)
    want(run(tool, "metric"), "new_component metric", 2, "a kind and a name are needed")


class Compiler:
    """Compiles a plugin or its test as the build does."""

    def __init__(self, build, ninja):
        self.build, self.ninja = build, ninja
        found = build_flags.entries(build, ninja)
        self.commands = {name: build_flags.like(found, f"{LIKE}/{name}") for name in (f"{LIKE}.cpp", f"{LIKE}_test.cpp")}

    def command(self, file, plugin=None):
        words = self.commands[f"{LIKE}_test.cpp" if file.name.endswith("_test.cpp") else f"{LIKE}.cpp"]
        return [f'-DPLUGIN_FILE="{plugin}"' if plugin and word.startswith("-DPLUGIN_FILE=") else word for word in words]

    def check(self, file):
        return file, run(*self.command(file), "-fsyntax-only", file, cwd=self.build)

    def link(self, target, file, output, plugin=None):
        """Compiles the file and links it as the build links `target`, whose only object it replaces."""
        made = output.with_suffix(".o")
        want(run(*self.command(file, plugin), "-c", file, "-o", made, cwd=self.build), f"compiling {file.name}")
        done = run(self.ninja, "-C", self.build, "-t", "commands", target)
        want(done, f"ninja -t commands {target}")
        words = shlex.split(done.stdout.splitlines()[-1])
        words = words[2:words.index("&&", 2)] if words[0] == ":" else words
        kept = [str(made) if word.endswith(f"{target.removesuffix('.so')}.cpp.o") else word for word in words]
        kept[kept.index("-o") + 1] = str(output)
        want(run(*kept, cwd=self.build), f"linking {output.name}")


def builds_and_passes(compiler, folder, work):
    name = folder.name
    plugin, test = work / f"{name}.so", work / f"{name}_test"
    compiler.link(LIKE, folder / f"{name}.cpp", plugin)
    compiler.link(f"{LIKE}_test", folder / f"{name}_test.cpp", test, plugin)
    done = run(test)
    want(done, f"the test of {name}", 0, "[  PASSED  ]")
    program = compiler.build / "bin/svi-experiment"
    if program.exists():
        done = run(program, folder / f"{name}.ini", cwd=work, env={**os.environ, "SVI_PLUGIN_PATH": str(work)})
        want(done, f"the experiment of {name}", 0, f"{name}.h5")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--ninja", default="ninja")
    parser.add_argument("--run", nargs="*", default=DEEPER)
    arguments = parser.parse_args()
    compiler = Compiler(arguments.build.resolve(), arguments.ninja)
    with tempfile.TemporaryDirectory() as folder:
        tree = empty_tree(pathlib.Path(folder))
        kinds = [line.split()[0] for line in run(tree / "tools/new_component", "--list").stdout.splitlines()]
        if len(kinds) != len(list((ROOT / "tools/templates").iterdir())):
            sys.exit(f"new_component --list and tools/templates/ differ: {kinds}")
        for kind in kinds:
            want(run(tree / "tools/new_component", kind, f"try_{kind}"), f"new_component {kind} try_{kind}")
        refuses_bad_names(tree)
        want(run(sys.executable, ROOT / "tools/check_layers", "--root", tree), "check_layers")
        want(run(sys.executable, ROOT / "tests/docs/check_pages.py", tree), "check_pages")
        files = sorted((tree / "plugins").glob("try_*/*.cpp"))
        formatter = shutil.which("clang-format-14") or shutil.which("clang-format")
        if formatter:
            done = run(formatter, "--dry-run", "--Werror", f"--style=file:{ROOT / '.clang-format'}", *files)
            want(done, "clang-format")
        with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            others = [file for file in files if file.parent.name.removeprefix("try_") not in arguments.run]
            for file, done in pool.map(compiler.check, others):
                want(done, f"checking {file.name}")
        for kind in arguments.run:
            builds_and_passes(compiler, tree / "plugins" / f"try_{kind}", tree)
        print(f"new_component: {len(kinds)} kinds compile, and the test and experiment of {', '.join(arguments.run)} run")


if __name__ == "__main__":
    main()
