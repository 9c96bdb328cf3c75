"""What Li et al. 2025 (arXiv 2510.09212) print, as far as it is known here, and our stand-ins for its columns.

Theirs are dimensions of VBench++ x 100, of films of 480 x 832 pixels by a model of 14 billion parameters. Ours are
quantities of whatever the result file holds. The scales have nothing to do with each other; what can be compared is
the order of the arms.
"""

SCALE = "the paper's: VBench++ x 100 of 480 x 832 films; another scale than ours, only the order of rows compares"

SUBJECT, BACKGROUND = "subject consistency", "background consistency"
AESTHETIC, IMAGING = "aesthetic quality", "imaging quality"
DYNAMIC, SMOOTH = "dynamic degree", "motion smoothness"
COLUMNS = (SUBJECT, BACKGROUND, AESTHETIC, IMAGING, DYNAMIC, SMOOTH)

# Our quantity for each column: the first of these that the file holds and no column before has taken. VBench's own, which
# need its weights, come first.
STAND_INS = {
    SUBJECT: ("subject_consistency", "pocket_consistency", "object_shape", "ssim"),
    BACKGROUND: ("background_consistency", "background_psnr", "pocket_structure", "ssim_y"),
    AESTHETIC: ("aesthetic_quality", "critic_quality", "pocket_quality", "psnr"),
    IMAGING: ("imaging_quality", "pocket_quality", "psnr", "ssim_y"),
    DYNAMIC: ("dynamic_degree", "pocket_motion", "motion"),
    SMOOTH: ("motion_smoothness", "temporal_flicker", "seam_jump"),
}

# Rows of the component table: what the paper calls them, the arms that may hold them, and the paper's numbers.
COMPONENTS = (
    ("base", ("base", "base_chaining"), {SUBJECT: 66.73, BACKGROUND: 82.83, AESTHETIC: 43.95, IMAGING: 42.31}),
    ("fine-tuned without errors", ("plain", "plain_lora", "finetune", "no_errors"), {}),
    ("without image error", ("no_image_error", "no_image", "no_eimg"),
     {SUBJECT: 73.82, BACKGROUND: 84.21, AESTHETIC: 49.58, IMAGING: 57.63}),
    ("without video error", ("no_video_error", "no_latent_error", "no_video", "no_latent", "no_evid"), {}),
    ("without noise error", ("no_noise_error", "no_noise", "no_enoi"), {}),
    ("full", ("erft", "full", "svi"), {SUBJECT: 94.69, BACKGROUND: 95.39, AESTHETIC: 61.88, IMAGING: 71.22}),
)

# Table 1: the benchmark of one prompt held throughout, and that of a stream of prompts. Which of the two lengths (50 and
# 250 seconds) these belong to is not known here, and of the other methods in the table no numbers are.
BASE, SHOT, FILM = "base model, chained", "SVI-Shot", "SVI-Film"
CONSISTENT = {SHOT: {SUBJECT: 98.13, BACKGROUND: 98.19, AESTHETIC: 63.84, IMAGING: 71.88, DYNAMIC: 17.61, SMOOTH: 98.93}}
CREATIVE = {
    SHOT: {SUBJECT: 93.52, BACKGROUND: 95.86, AESTHETIC: 58.07, IMAGING: 62.81, DYNAMIC: 55.63, SMOOTH: 98.42},
    FILM: {SUBJECT: 84.27, BACKGROUND: 90.68, AESTHETIC: 57.02, IMAGING: 57.04, DYNAMIC: 57.04, SMOOTH: 99.12},
}
# The development log of the authors' repository gives one score, unnamed, of films of 10 and of 50 prompts. It looks like
# imaging quality: 42.31 is also what the ablation says of the base.
DEVELOPMENT_LOG = {BASE: (52.83, 42.31), FILM: (62.25, 59.43), "SVI-Film, of 2025-10-21": (63.09, 61.92),
                   "SVI-Film, transitions": (62.40, 57.91)}

# Films that follow a sound or a skeleton: columns of the table, our quantities for them, and where along a film of N
# clips each is taken: the mean over its clips, or, of quantities that tell of the film so far, its last one.
PSNR, SSIM, VIDEO_DISTANCE = "PSNR", "SSIM", "video distance"
OFFSET, CONFIDENCE = "offset", "confidence"
CONDITIONAL = (PSNR, SSIM, VIDEO_DISTANCE, OFFSET, CONFIDENCE)
FOLLOWING = {PSNR: ("psnr",), SSIM: ("ssim",), VIDEO_DISTANCE: ("motion_frechet", "critic_frechet"),
             OFFSET: ("mouth_lag", "figure_lag"), CONFIDENCE: ("mouth_lag_confidence", "figure_lag_confidence")}
SO_FAR = (OFFSET, CONFIDENCE)
# SyncNet's Sync-C and Sync-D are no lag and no correlation of ours, and FVD is I3D's: named in the row, not in a column.
SYNC_C, SYNC_D, FVD = "Sync-C", "Sync-D", "FVD"
TALK, DANCE = "SVI-Talk", "SVI-Dance"
TOLD = {TALK: {SYNC_C: 6.12, SYNC_D: 8.74, FVD: 390}, DANCE: {PSNR: 20.01, SSIM: 0.71, FVD: 299}}
# The paper's own measures where their weights are there, else what the small worlds have of the kind.
TOLD_BY = {SYNC_C: ("sync_confidence", "mouth_lag_confidence"), SYNC_D: ("sync_distance",), FVD: ("fvd", "motion_frechet"),
           PSNR: ("psnr",), SSIM: ("ssim",)}
TOLD_CLIPS = {TALK: 60, DANCE: 10}  # of films of 300 and of 50 seconds

SECONDS_PER_CLIP = 5  # 81 frames at 16 a second
LENGTHS = (10, 50)  # clips of the 50 s and 250 s films


class MappingError(ValueError):
    """A mapping that cannot be used; the text says what would do."""


def parse_mapping(text, known, what):
    """'LEFT=RIGHT, ...' to a dict; MappingError where LEFT is none of `known`."""
    out = {}
    for part in filter(None, (part.strip() for part in (text or "").split(","))):
        left, sign, right = (piece.strip() for piece in part.partition("="))
        if not sign or left not in known:
            raise MappingError(f"'{part}': write {what}, with a left side out of {', '.join(known)}")
        out[left] = right
    return out


def columns(result, chosen=None):
    """{column of the paper: our Quantity or None}. `chosen` maps columns to names; an empty name leaves one out."""
    chosen = chosen or {}
    names, taken, out = [quantity.name for quantity in result.quantities], set(chosen.values()), {}
    for column in COLUMNS:
        if column in chosen:
            name = chosen[column] or None
        else:
            name = next((name for name in STAND_INS[column] if name in names and name not in taken), None)
        out[column] = result.quantity(name) if name else None
        taken.add(name)
    return out


def component_arms(result, chosen=None):
    """[(row of the paper, arm index or None, the paper's numbers)]."""
    chosen = chosen or {}
    out = []
    for row, candidates, numbers in COMPONENTS:
        if row in chosen:
            out.append((row, result.arm(chosen[row]) if chosen[row] else None, numbers))
        else:
            out.append((row, next((result.arms.index(name) for name in candidates if name in result.arms), None), numbers))
    return out
