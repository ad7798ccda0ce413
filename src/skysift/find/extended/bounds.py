"""`refuse_beyond`: options of the finders of extended sources that a map cannot hold, told before it is searched."""

from skysift.base.errors import OptionError
from skysift.find.extended.diffuse import WIDEST as WIDEST_DIFFUSE
from skysift.find.extended.diffuse import diffuse_level
from skysift.find.extended.options import ExtendedOptions
from skysift.find.extended.scales import width
from skysift.find.extended.segmenter import segmenters_of
from skysift.sky.image import SkyImage

WIDEST = 1024  # pixels of a smoothing or a margin: what is read around each tile stays in memory

IN_BEAMS = {"widest_scale": 1, "diffuse_scale": 4, "window_margin": 1, "superpixel_size": 1}
"""Options that say, in beams, how far is looked around each pixel, and how often in a row."""


def refuse_beyond(image: SkyImage, options: ExtendedOptions) -> None:
    """
    Refuse an option that was chosen and that this map cannot hold.

    Raises
    ------
    OptionError
        A scale is wider than 1024 pixels (that of diffuse emission: 256), or the smallest area is larger than the map.
    """
    beam = image.frame.beam_width_pixels(image.beam)
    fields = type(options).model_fields
    for name, times in IN_BEAMS.items():
        value, widest = getattr(options, name), WIDEST // times
        if value != fields[name].default and value * beam > widest:
            raise OptionError(
                f"{name} is too wide for the pixels of this map: what is read around each tile would not fit memory",
                got=f"{value:g} beams of {beam:.3g} pixels",
                allowed=f"{widest / beam:.3g} beams at most, {widest} pixels",
                todo="choose less, or average the map over blocks of pixels first",
            )
    asked = options.diffuse == "yes" or (options.diffuse == "auto" and options.diffuse_scale is not None)
    if asked and any(one.takes_off for one in segmenters_of(options)):
        wide = width(diffuse_level(options, beam))
        if wide > WIDEST_DIFFUSE:
            raise OptionError(
                "diffuse emission cannot be taken off this map: what is read around each tile would not fit memory",
                got=f"emission {wide / beam:.3g} beams wide, of {beam:.3g} pixels: twice the widest smoothing or more",
                allowed=f"{WIDEST_DIFFUSE / beam:.3g} beams, {WIDEST_DIFFUSE:g} pixels",
                todo="choose diffuse=no, a smaller widest_scale, or average the map over blocks of pixels first",
            )
    area = image.shape[0] * image.shape[1] / image.frame.beam_area_pixels(image.beam)
    least = options.smallest_area
    if least != fields["smallest_area"].default and least > area:
        raise OptionError(
            "smallest_area is larger than the map, so nothing could be found",
            got=f"{least:g} beam areas",
            allowed=f"less than {area:.4g}, the area of the map",
            todo="choose less; to find compact sources alone, use the finder classic",
        )
