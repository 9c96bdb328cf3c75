"""Films of several arms beside each other, and contact sheets. Everything on video goes through ffmpeg."""

import json
import math
import pathlib
import re
import shutil
import subprocess
import tempfile

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

TRUTH = "truth"
MOST_WIDTH = 2560  # pixels of a row of films; wider ones are made smaller
LEAST_WIDTH = 160  # pixels of one film; smaller ones are made larger, by a whole factor
INK, PAPER, QUIET = "#1a1a1a", "#ffffff", "#666666"


class FilmError(Exception):
    """Films that cannot be found, read or written; the text says what would do."""


def run(command, **options):
    """Runs a program and returns its output; its last words become the error's text."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, **options)
    except FileNotFoundError as error:
        raise FilmError(f"{command[0]} is not installed; run tools/setup") from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise FilmError(f"{command[0]} failed: {' / '.join(words)}")
    return done.stdout


class Film:
    """One video file: its size, length and chosen frames."""

    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()
        facts = json.loads(run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets", "-of", "json",
                                "-show_entries", "stream=width,height,r_frame_rate,nb_read_packets", self.path]))
        if not facts.get("streams"):
            raise FilmError(f"{path} holds no video")
        stream = facts["streams"][0]
        self.width, self.height = stream["width"], stream["height"]
        self.frames = int(stream["nb_read_packets"])
        self.rate = stream["r_frame_rate"]

    def read(self, wanted):
        """{index: picture} of those of the frames `wanted` that the film has."""
        wanted = sorted({index for index in wanted if 0 <= index < self.frames})
        if not wanted:
            return {}
        chosen = "+".join(f"eq(n,{index})" for index in wanted)
        raw = run(["ffmpeg", "-v", "error", "-nostdin", "-i", self.path, "-vf", f"select='{chosen}'", "-vsync", "0",
                   "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        pictures = np.frombuffer(raw, np.uint8).reshape(-1, self.height, self.width, 3)
        return {index: Image.fromarray(picture) for index, picture in zip(wanted, pictures)}


def scenes(folder):
    """{scene number: {arm: path}} below RESULT_DIR/videos; the truth comes first."""
    videos = pathlib.Path(folder) / "videos"
    found = {}
    for path in sorted(videos.glob("*/scene*.mp4")):
        number = re.fullmatch(r"scene(\d+)\.mp4", path.name)
        if number:
            found.setdefault(int(number[1]), {})[path.parent.name] = path
    if not found:
        raise FilmError(f"{videos} holds no ARM/sceneK.mp4; set [evaluation] videos above 0 and run again")
    order = lambda arm: (arm != TRUTH, arm)  # noqa: E731
    return {scene: {arm: films[arm] for arm in sorted(films, key=order)} for scene, films in sorted(found.items())}


def prompts(film):
    """The prompts of a film's clips, in order, by the record that svi writes beside it; [] where there is none."""
    try:
        clips = json.loads(pathlib.Path(film).with_suffix(".json").read_text(encoding="utf-8"))["clips"]
        return [str(clip["prompt"]) for clip in clips]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def font_file():
    """DejaVu Sans, which matplotlib brings along."""
    return pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def font(size):
    return ImageFont.truetype(str(font_file()), size)


def wrap(text, width, size):
    """The text in lines of at most `width` pixels; words longer than that are cut."""
    face, lines = font(size), [""]
    for word in text.split():
        while face.getlength(word) > width and len(word) > 1:
            fits = max(n for n in range(1, len(word) + 1) if n == 1 or face.getlength(word[:n]) <= width)
            lines, word = lines + [word[:fits]], word[fits:]
        joined = f"{lines[-1]} {word}".strip()
        if face.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return [line for line in lines if line]


def _even(number):
    return max(2, int(number) // 2 * 2)


def _tile(films):
    """Width and height that every film gets: about those of the first one."""
    first = films[0]
    width = min(first.width * math.ceil(LEAST_WIDTH / first.width), MOST_WIDTH // len(films))
    return _even(width), _even(first.height * width / first.width)


def side_by_side(paths, labels, target, clips=None):
    """Writes the films of one scene beside each other, each under its label, as <target>.

    `labels` are drawn by drawtext from files, so that no letter of theirs needs escaping. `clips`, if known, adds a
    line that counts them. A film that ends early shows its last frame.
    """
    films = [Film(path) for path in paths]
    width, height = _tile(films)
    size = max(11, min(16, width // 13))
    texts = ["\n".join(wrap(label, width - 8, size)) for label in labels]
    bar = _even((size + 5) * max(text.count("\n") + 1 for text in texts) + 8)
    length = max(film.frames for film in films)
    rows = [line.split("\n") for line in texts]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)  # ffmpeg runs in it: its filters then see plain names only
        shutil.copy(font_file(), folder / "font.ttf")
        chains, command = [], ["ffmpeg", "-v", "error", "-nostdin", "-y"]
        for index, film in enumerate(films):
            command += ["-i", film.path]
            kind = "neighbor" if film.width <= width else "area"
            chain = (f"[{index}:v]fps={films[0].rate},scale={width}:{height}:flags={kind},setsar=1,"
                     f"pad={width + 4}:{height + bar}:2:{bar}:white")
            for row, line in enumerate(rows[index]):
                (folder / f"label{index}_{row}.txt").write_text(line, encoding="utf-8")
                y = (bar - len(rows[index]) * (size + 5)) // 2 + row * (size + 5)
                chain += (f",drawtext=fontfile=font.ttf:textfile=label{index}_{row}.txt:expansion=none:"
                          f"fontsize={size}:fontcolor=0x1a1a1a:x=(w-tw)/2:y={y}+(({size}+5)-{size})/2")
            chains.append(chain + f"[v{index}]")
        inputs = "".join(f"[v{index}]" for index in range(len(films)))
        joined = inputs + (f"hstack=inputs={len(films)}" if len(films) > 1 else "null")
        foot = size + 10
        if clips:
            (folder / "foot.txt").write_text("clip %{eif:" + f"1+floor(n*{clips}/{length})" + ":d}" + f" of {clips}",
                                             encoding="utf-8")
            joined += (f",pad=iw:ih+{_even(foot)}:0:0:white,drawtext=fontfile=font.ttf:textfile=foot.txt:fontsize={size}:"
                       f"fontcolor=0x666666:x=8:y=h-{_even(foot)}+4")
        graph = ";".join(chains + [joined + ",format=yuv420p[out]"])
        made = folder / "film.mp4"
        command += ["-filter_complex", graph, "-map", "[out]", "-c:v", "libx264", "-crf", "18", "-preset", "veryfast",
                    "-movflags", "+faststart", made]
        run(command, cwd=folder)
        target = pathlib.Path(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".part.mp4")
        shutil.copy(made, partial)
        partial.replace(target)
    return target


def moments(length, clips=None):
    """[(heading, frame)]: the last frame of clip 1, of the clips at 25, 50 and 75 %, and of the film."""
    chosen = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        if clips:
            clip = max(1, round(share * clips))
            heading, frame = f"clip {clip}", round(clip * length / clips) - 1
        else:
            heading, frame = f"{share:.0%}", round(share * (length - 1))
        if (heading, frame) not in chosen:
            chosen.append((heading, min(max(frame, 0), length - 1)))
    return chosen


def contact_sheet(paths, labels, target, title="", clips=None, cell=168):
    """Writes what people look at first: rows are films, columns moments of them. PNG."""
    films = [Film(path) for path in paths]
    columns = moments(max(film.frames for film in films), clips)
    height = round(cell * films[0].height / films[0].width)
    left, top, gap, size = 150, 30 + (26 if title else 0), 6, 14
    sheet = Image.new("RGB", (left + len(columns) * (cell + gap) + gap, top + len(films) * (height + gap) + gap), PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((gap + 4, 18), title, fill=INK, font=font(15), anchor="lm")
    for c, (heading, _) in enumerate(columns):
        draw.text((left + c * (cell + gap) + cell / 2, top - 14), heading, fill=QUIET, font=font(size), anchor="mm")
    for r, (film, label) in enumerate(zip(films, labels)):
        y = top + r * (height + gap)
        draw.multiline_text((left - 10, y + height / 2), "\n".join(wrap(label, left - 16, size)), fill=INK,
                            font=font(size), anchor="rm", align="right")
        pictures = film.read(frame for _, frame in columns)
        for c, (_, frame) in enumerate(columns):
            x = left + c * (cell + gap)
            if frame not in pictures:
                draw.text((x + cell / 2, y + height / 2), "ended", fill=QUIET, font=font(12), anchor="mm")
                continue
            kind = Image.Resampling.NEAREST if film.width <= cell else Image.Resampling.BOX
            sheet.paste(pictures[frame].resize((cell, height), kind), (x, y))
    target = pathlib.Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target)
    return target
