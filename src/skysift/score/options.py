"""The menus of the scorers; light, so that help and checks load nothing heavy."""

from typing import Literal

from skysift.base.options import Options, option


class ChanceOptions(Options):
    """How matches by chance are counted."""

    shift: float = option(
        10.0, unit="beam", above=0.0, doc="How far the found rows are shifted to count matches by chance."
    )
    shifts: int = option(
        4, at_least=0, at_most=8, doc="Number of shifted catalogues: north, east, south, west, then between."
    )


class RuleOptions(ChanceOptions):
    """When a found row and a true object are the same."""

    table: Literal["sources", "components"] = option(
        "sources", doc="The table of the catalogue whose rows are compared with the objects of the truth."
    )
    flux: Literal["flux", "flux_int", "flux_peak"] = option(
        "flux", doc="The column whose values must agree, and of which flux bins are made."
    )
    faintest: float = option(
        2.0, unit="sigma", at_least=0.0, doc="Truth with a smaller peak than this never matches."
    )
    merge: float = option(
        0.5,
        unit="beam",
        at_least=0.0,
        doc="Truths that are this near to each other (beams of geometric mean FWHM) are one; 0 merges none.",
    )
    radius: float = option(
        0.5,
        unit="FWHM",
        above=0.0,
        doc="How far a found row may lie from a truth, in the truth's own convolved FWHM (geometric mean).",
    )
    radius_min: float = option(
        0.5, unit="beam", at_least=0.0, doc="The radius is never smaller than this many beams."
    )
    flux_factor: float = option(
        2.0, at_least=1.0, doc="Fluxes agree where their ratio is within this factor, either way."
    )
    flux_sigma: float = option(
        5.0,
        unit="sigma",
        at_least=0.0,
        doc="Fluxes agree as well where they differ by fewer errors than this.",
    )
    beam: float | None = option(
        None, unit="arcsec", above=0.0, doc="FWHM of the beam, where the truth does not tell it."
    )
    rms_map: str | None = option(
        None,
        doc="FITS map of the noise of the map searched: tells the S/N of truths that have none, the area that "
        "was searched, and the visibility area.",
    )


class CountsOptions(RuleOptions):
    """How many are found of what there is, and how many are real of what is found."""

    bright: float = option(
        5.0,
        unit="sigma",
        above=0.0,
        doc="The completeness of the map of completeness, of classes and of sizes is that of truths with a "
        "peak above this.",
    )
    bins: int = option(5, at_least=1, at_most=20, doc="Bins in a decade of S/N and of flux.")
    grid: int = option(8, at_least=1, at_most=64, doc="Cells along a side of the map of completeness.")
    area: float | None = option(
        None, unit="deg2", above=0.0, doc="The area that was searched, where neither truth nor rms map tells."
    )
    counts_of: str | None = option(
        None,
        doc="A catalogue of the same map whose source counts are told, corrected by what the truth tells: that "
        "of a real map, where the truth was injected into it. Without it they are of the catalogue scored, and "
        "their corrections lead back to its truth.",
    )


class FluxesOptions(RuleOptions):
    """Bias and scatter of what is measured, and whether the errors are right."""

    bins: int = option(3, at_least=1, at_most=20, doc="Bins in a decade of true S/N.")
    bright: float = option(
        10.0, unit="sigma", above=0.0, doc="The numbers that sum up are of truths with a peak above this."
    )
    round_above: float = option(
        0.8,
        above=0.0,
        at_most=1.0,
        doc="Position angles are compared where the true axis ratio is below this.",
    )


class ClassesOptions(RuleOptions):
    """Whether what is found is given its right class."""

    column: Literal["class", "morphology", "object_type"] = option(
        "class", doc="The column that holds the class, in the truth and in the catalogue."
    )
    bins: int = option(10, at_least=2, at_most=100, doc="Bins of the calibration.")


class CocoOptions(RuleOptions):
    """Average precision and recall of boxes and masks over their overlap with the truth."""

    shapes: Literal["auto", "labels", "islands", "ellipses"] = option(
        "auto",
        doc="What is found: islands of the map `labels`; boxes of the table of islands; ellipses of the rows "
        "of `table`; auto takes `labels` where it is given, else ellipses.",
    )
    labels: str | None = option(None, doc="FITS map of labels, each that of an island of the catalogue.")
    score: str = option(
        "auto",
        doc="The column that tells how sure the finder is; auto takes `score` where the table has it, else `snr`.",
    )
    snr_edges: tuple[float, ...] = option(
        (5.0, 10.0, 20.0, 100.0), unit="sigma", doc="Edges between the bins of S/N."
    )


class Sdc1Options(ChanceOptions):
    """The score of SKA Science Data Challenge 1."""

    frequency: Literal["auto", "560MHz", "1400MHz", "9200MHz"] = option(
        "auto",
        doc="The map of the challenge that the catalogue is of, which decides the beam and the training box; "
        "auto takes what truth or catalogue tell.",
    )
    train: bool = option(False, doc="Score inside the box of the training area only; it is left out else.")
    whole: bool = option(False, doc="Score the whole field, training area or not.")
    position: Literal["core", "centroid"] = option("core", doc="The position that detections match by.")
    beam: float | None = option(
        None,
        unit="arcsec",
        above=0.0,
        doc="Width that sets how far a match may lie; by default the challenge's 0.25 arcsec at 1400 MHz, and at "
        "frequencies that it has not 5/12 of the truth's beam.",
    )
    primary_beam: str | None = option(
        None, doc="FITS map of the primary beam's response, by which the fluxes of the catalogue are divided."
    )
    class_id: int = option(
        3, at_least=1, at_most=3, doc="Class of rows that have none: 1 steep AGN, 2 flat AGN, 3 star-forming."
    )
    core_fraction: float = option(
        0.0375, at_least=0.0, at_most=1.0, doc="Core fraction of rows that have none."
    )


class Sdc2Options(ChanceOptions):
    """The score of SKA Science Data Challenge 2."""
