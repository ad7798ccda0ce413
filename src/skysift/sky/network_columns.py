"""Columns of sources that a network found: what it says of them, beside what was measured."""

from __future__ import annotations

from skysift.sky.column import FLUX, MAJOR, MINOR, OF_CSI, OF_S, Column, angle, arcsec, flux

__all__ = ["OF_NETWORKS"]

OF_NETWORKS: tuple[Column, ...] = (
    Column(
        "class_score",
        "float64",
        "",
        "stat.probability",
        "Probability of the class, as the network says it.",
        OF_CSI,
        ".3f",
    ),
    Column(
        "score",
        "float64",
        "",
        "stat.probability",
        "How sure the network is that there is a source: 0 to 1.",
        OF_CSI,
        ".3f",
    ),
    Column(
        "n_members",
        "int64",
        "",
        "meta.number",
        "How many members of an ensemble of finders found the source.",
        OF_S,
    ),
    flux("flux_net", f"{FLUX};meta.modelled", "Flux density that the network gives; measured is flux.", OF_S),
    flux("flux_net_err", f"stat.error;{FLUX}", "Error of flux_net as the network says it.", OF_S),
    *(
        each
        for axis, ucd in (("major", MAJOR), ("minor", MINOR))
        for each in (
            arcsec(
                f"{axis}_net",
                f"{ucd};meta.modelled",
                f"FWHM along the {axis} axis without the beam, by the network.",
                OF_S,
            ),
            arcsec(
                f"{axis}_net_err", f"stat.error;{ucd}", f"Error of {axis}_net as the network says it.", OF_S
            ),
        )
    ),
    angle(
        "pa_net",
        "pos.posAng;meta.modelled",
        "Position angle of the major axis without the beam, from north through east, by the network; see pa_net_err.",
        OF_S,
    ),
    angle("pa_net_err", "stat.error;pos.posAng", "Error of pa_net as the network says it.", OF_S),
)
