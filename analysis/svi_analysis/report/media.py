"""Films for the page: H.264 in MP4, small enough that the page stays within its limit."""

import base64
import pathlib
import re
import tempfile

from .. import films

LEVELS = (24, 30, 36, 42)  # constant rate factors tried in turn
MOST_WIDTH = 320


def safe(arm):
    """The folder name that svi-experiment gives an arm."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in arm)


def encode(path, level):
    """Bytes of the film as H.264 that every browser plays, at most MOST_WIDTH wide."""
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "film.mp4"
        films.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-threads", "1", "-i", path, "-an", "-vf",
                   f"scale='trunc(min(iw,{MOST_WIDTH})/2)*2':-2:flags=area", "-c:v", "libx264", "-preset", "veryfast",
                   "-crf", str(level), "-pix_fmt", "yuv420p", "-g", "24", "-movflags", "+faststart", "-map_metadata", "-1",
                   "-fflags", "+bitexact", "-flags:v", "+bitexact", made])
        return made.read_bytes()


def _text_size(data):
    return (len(data) + 2) // 3 * 4


def scenes(folder, result, most_scenes, budget):
    """[{number, films: [{arm, label, type, data}]}] of the first scenes, and how many scenes were left out.

    `budget` bounds the base64 text, in bytes: films are compressed harder, then scenes left out, until it holds.
    Arms come in the order of the file, the truth first. No films, no error: [] and 0.
    """
    try:
        found = films.scenes(folder)
    except films.FilmError:
        return [], 0
    order = {films.TRUTH: (-1, "the truth")}
    for index, (arm, label) in enumerate(zip(result.arms, result.labels)):
        order[safe(arm)] = (index, label)
    wanted = []
    for number, paths in list(found.items())[:most_scenes]:
        kept = sorted((order[arm] + (path,) for arm, path in paths.items() if arm in order), key=lambda film: film[0])
        if kept:
            wanted.append((number, kept))
    # Six steps of the rate factor halve a film. Long films are not encoded over and over: what the source files weigh says
    # where to begin, and how many scenes can fit at all.
    while len(wanted) > 1 and _source_size(wanted) / 2 ** (len(LEVELS) - 1) > budget:
        wanted.pop()
    begin = 0
    while begin < len(LEVELS) - 1 and _source_size(wanted) / 2**begin > 2 * budget:
        begin += 1
    for level in LEVELS[begin:]:
        made = _encode_scenes(wanted, level, budget, skip=level == LEVELS[-1])
        if made is not None:
            return made, len(found) - len(made)
    return [], len(found)


def _encode_scenes(wanted, level, budget, skip):
    """The scenes as the page takes them; None once they exceed the budget, but with `skip` those that fit."""
    made, spent = [], 0
    for number, kept in wanted:
        encoded, size = [], spent
        for arm, label, path in kept:
            encoded.append((arm, label, encode(path, level)))
            size += _text_size(encoded[-1][2])
            if size > budget:
                break
        if size <= budget:
            made.append(_scene(number, encoded))
            spent = size
        elif not skip:
            return None
    return made


def _source_size(wanted):
    """Bytes of base64 text that the films would make as they are."""
    return sum(path.stat().st_size * 4 / 3 for _, kept in wanted for *_, path in kept)


def _scene(number, kept):
    return {"number": number, "films": [{"arm": arm, "label": label, "type": "video/mp4",
                                         "data": base64.b64encode(data).decode()} for arm, label, data in kept]}


def svg_uri(figure, plt, style):
    """A matplotlib figure as the text of an <img> source."""
    with tempfile.TemporaryDirectory() as folder, plt.rc_context(style):
        path = pathlib.Path(folder) / "figure.svg"
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
        text = re.sub(r"\s*\n\s*", "\n", path.read_text(encoding="utf-8"))
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
