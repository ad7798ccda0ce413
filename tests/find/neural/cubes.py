"""Small cubes with lines, crops of them, and the options of a small network that looks at them."""

from functools import cache

from skysift.find.neural.yolo.gridnet import CUBES
from skysift.find.neural.yolo.options import CubeOptions
from skysift.learn.cubes import cut_cube
from skysift.learn.fields import LABELS, LINE_LABELS
from skysift.learn.samples import label_table
from skysift.sim.cubes import make_lines
from skysift.sim.options import LineCubeOptions
from skysift.sky.box import Box

PRIORS = ((12.0, 2.4, 2.4), (12.0, 2.4, 2.4), (30.0, 3.0, 3.0))
OPTIONS = CubeOptions(
    widths=(8, 12, 16), depths=(1, 1, 1), priors=PRIORS, empty=(0.15,) * 3, faintest=4.0, described=-0.5
)
K, PARTS, SIZE, CELL = 3, len(CUBES), 32, 8
MADE = LineCubeOptions(
    n_pixels=40, n_channels=48, n_lines=14, snr_min=12.0, snr_max=60.0, speed_max=9.0, size_max=1.5
)
NAMES = (*LABELS, *LINE_LABELS)


@cache
def field_of(seed):
    return make_lines(MADE, seed).field(f"made-{seed}")


def crop_of(seed):
    field = field_of(seed)
    return cut_cube(field, label_table(field), Box(4, 4 + SIZE, 4, 4 + SIZE), 8, SIZE)
