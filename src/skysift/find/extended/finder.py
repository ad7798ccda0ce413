"""`ExtendedFinder` and `FullFinder`: compact sources as the classic finder finds them, and segments of the rest."""

from typing import ClassVar

from skysift.find.classic.finder import ClassicFinder
from skysift.find.extended.options import ExtendedOptions


class FullFinder(ClassicFinder):
    """
    Compact and extended sources in one catalogue.

    Compact ones are those of the classic finder; what is left of the map without them is searched for segments of
    extended emission on scales from the beam up, and the segments for compact sources on top of them.
    """

    segments: ClassVar[bool] = True
    options: ExtendedOptions


class ExtendedFinder(FullFinder):
    """Extended sources, and the compact ones on top of them; compact sources elsewhere are left out."""

    compact: ClassVar[bool] = False
