"""The descriptors of services that go with tables: where to ask for links and cutouts, and with which parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skysift.io.answers.votable import attribute, xml_text

__all__ = ["Descriptor", "Param", "links_descriptor", "soda_descriptor"]

DATALINK = "ivo://ivoa.net/std/DataLink#links-1.1"


@dataclass(frozen=True)
class Param:
    """A parameter of a service.

    Parameters
    ----------
    name, datatype, arraysize, xtype, unit, ucd, description
        As VOTable has them.
    value
        What it is, where that is fixed.
    ref
        The ID of the column whose value it is.
    low, high
        Bounds of what makes sense.
    options
        The values that it may have.
    """

    name: str
    datatype: str = "char"
    arraysize: str = "*"
    xtype: str = ""
    unit: str = ""
    ucd: str = ""
    description: str = ""
    value: str = ""
    ref: str = ""
    low: str = ""
    high: str = ""
    options: Sequence[str] = ()

    def element(self) -> str:
        """The PARAM element."""
        said = {
            "name": self.name,
            "datatype": self.datatype,
            "arraysize": self.arraysize,
            "xtype": self.xtype,
            "unit": self.unit,
            "ucd": self.ucd,
            "ref": self.ref,
        }
        attributes = " ".join(f"{key}={attribute(value)}" for key, value in said.items() if value)
        inner = f"<DESCRIPTION>{xml_text(self.description)}</DESCRIPTION>" if self.description else ""
        bounds = "".join(
            f"<{name} value={attribute(value)}/>"
            for name, value in (("MIN", self.low), ("MAX", self.high))
            if value
        )
        bounds += "".join(f"<OPTION value={attribute(each)}/>" for each in self.options)
        inner += f"<VALUES>{bounds}</VALUES>" if bounds else ""
        return f"<PARAM {attributes} value={attribute(self.value)}>{inner}</PARAM>\n"


@dataclass(frozen=True)
class Descriptor:
    """A service and how to ask it.

    Parameters
    ----------
    id
        What rows call it by.
    standard
        The identifier of its standard; empty for none.
    url
        Where it is asked.
    inputs
        Its parameters.
    description
        What it does.
    """

    id: str
    standard: str
    url: str
    inputs: Sequence[Param]
    description: str = ""

    def element(self) -> str:
        """The RESOURCE element."""
        inputs = "".join(each.element() for each in self.inputs)
        standard = (
            f'<PARAM name="standardID" datatype="char" arraysize="*" value={attribute(self.standard)}/>\n'
        )
        return (
            f'<RESOURCE type="meta" utype="adhoc:service" ID={attribute(self.id)}>\n'
            + (f"<DESCRIPTION>{xml_text(self.description)}</DESCRIPTION>\n" if self.description else "")
            + (standard if self.standard else "")
            + f'<PARAM name="accessURL" datatype="char" arraysize="*" value={attribute(self.url)}/>\n'
            f'<GROUP name="inputParams">\n{inputs}</GROUP>\n</RESOURCE>\n'
        )


def links_descriptor(url: str, column: str) -> str:
    """The descriptor of the links that go with each row, by the column that identifies it."""
    param = Param("ID", ref=column, ucd="meta.id;meta.main")
    return Descriptor("datalink", DATALINK, url, [param], "What can be had of each row").element()


def soda_descriptor(
    id: str,
    standard: str,
    url: str,
    did: str,
    *,
    circle: tuple[float, float, float] | None = None,
    band: tuple[float, float] | None = None,
    pol: Sequence[str] = (),
) -> str:
    """The descriptor of cutouts of one map or cube, with what it covers.

    Parameters
    ----------
    id, standard, url
        Of the service.
    did
        The identifier of the map.
    circle
        What holds it on the sky (deg).
    band
        What it covers (m).
    pol
        Its polarisations.
    """
    around = " ".join(repr(each) for each in circle) if circle else ""
    inputs = [
        Param("ID", value=did, ucd="meta.id;meta.main", description="What is cut"),
        Param("POS", ucd="pos.outline;obs", description="CIRCLE, RANGE or POLYGON and its numbers (deg)"),
        Param("CIRCLE", "double", "3", "circle", "deg", "pos.outline;obs", "Centre and radius", high=around),
        Param("POLYGON", "double", "*", "polygon", "deg", "pos.outline;obs", "Corners"),
        Param("POSSYS", description="System of the regions", options=("ICRS", "GALACTIC")),
    ]
    if band is not None:
        inputs.append(
            Param("BAND", "double", "2", "interval", "m", "em.wl;stat.interval", "Wavelengths",
                  low=repr(band[0]), high=repr(band[1]))
        )  # fmt: skip
    if pol:
        inputs.append(
            Param("POL", ucd="meta.code;phys.polarization", description="Polarisations", options=pol)
        )
    return Descriptor(id, standard, url, inputs, "A part of the map").element()
