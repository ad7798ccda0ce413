"""What the services tell of themselves (VOSI 1.1): capabilities, availability, and the tables that can be queried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from skysift.io.answers.forms import FORMS
from skysift.io.answers.votable import xml_text
from skysift.serve.vo.uws import instant

__all__ = [
    "Capability",
    "Limits",
    "availability_document",
    "capabilities_document",
    "tables_document",
    "tap_capability",
]

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_SPACES = (
    'xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0" '
    'xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0" '
    'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" '
    f'xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0" {_XSI}'
)
_ADQL = {
    "ivo://ivoa.net/std/TAPRegExt#features-adqlgeo": (
        "AREA", "BOX", "CENTROID", "CIRCLE", "CONTAINS", "COORD1", "COORD2", "COORDSYS", "DISTANCE", "INTERSECTS",
        "POINT", "POLYGON", "REGION",
    ),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-string": ("LOWER", "UPPER", "ILIKE"),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-type": ("CAST",),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-sets": ("UNION", "EXCEPT", "INTERSECT"),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-common-table": ("WITH",),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-offset": ("OFFSET",),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-unit": ("IN_UNIT",),
}  # fmt: skip


@dataclass(frozen=True)
class Capability:
    """One thing that a service can do.

    Parameters
    ----------
    standard
        The identifier of its standard.
    url
        Where it is asked.
    version
        Of the interface.
    use
        Whether `url` is whole (``full``), or goes on (``base``).
    """

    standard: str
    url: str
    version: str = ""
    use: str = "full"


@dataclass(frozen=True)
class Limits:
    """What a TAP service allows.

    Parameters
    ----------
    rows, most_rows
        How many rows go out where nothing is said, and at most.
    seconds
        How long a query that is a job may run.
    days
        How long its result is kept.
    upload_rows, upload_bytes
        How large an uploaded table may be.
    """

    rows: int
    most_rows: int
    seconds: int
    days: float
    upload_rows: int
    upload_bytes: int


def capabilities_document(
    base: str, capabilities: Sequence[Capability], *, more: str = "", tables: bool = False
) -> str:
    """The XML of what a service can do.

    Parameters
    ----------
    base
        The address of the service; its VOSI documents lie below.
    capabilities
        What it can do, beside telling of itself.
    more
        Elements of further capabilities.
    tables
        Whether it tells of tables.
    """
    own = [
        Capability("ivo://ivoa.net/std/VOSI#capabilities", f"{base}/capabilities"),
        Capability("ivo://ivoa.net/std/VOSI#availability", f"{base}/availability"),
    ]
    if tables:
        own.append(Capability("ivo://ivoa.net/std/VOSI#tables-1.1", f"{base}/tables", "1.1"))
    told = "".join(_capability(each) for each in (*own, *capabilities))
    return f"{_HEAD}<vosi:capabilities {_SPACES}>\n{told}{more}</vosi:capabilities>\n"


def _capability(each: Capability, inner: str = "", kind: str = "") -> str:
    version = f" version={quoteattr(each.version)}" if each.version else ""
    typed = f' xsi:type="{kind}"' if kind else ""
    return (
        f"<capability standardID={quoteattr(each.standard)}{typed}>\n"
        f'<interface xsi:type="vs:ParamHTTP" role="std"{version}>\n'
        f'<accessURL use="{each.use}">{xml_text(each.url)}</accessURL>\n</interface>\n'
        f"{inner}</capability>\n"
    )


def tap_capability(base: str, limits: Limits) -> str:
    """The element of what a TAP service can do: language, forms, uploads, limits."""
    features = "".join(
        f"<languageFeatures type={quoteattr(kind)}>\n"
        + "".join(f"<feature><form>{form}</form></feature>\n" for form in forms)
        + "</languageFeatures>\n"
        for kind, forms in _ADQL.items()
    )
    inner = (
        '<dataModel ivo-id="ivo://ivoa.net/std/ObsCore#core-1.1">ObsCore-1.1</dataModel>\n'
        "<language>\n<name>ADQL</name>\n"
        '<version ivo-id="ivo://ivoa.net/std/ADQL#v2.0">2.0</version>\n'
        '<version ivo-id="ivo://ivoa.net/std/ADQL#v2.1">2.1</version>\n'
        f"<description>The Astronomical Data Query Language</description>\n{features}</language>\n"
    )
    for form in FORMS:
        inner += f"<outputFormat><mime>{xml_text(form.media_type)}</mime><alias>{form.name}</alias></outputFormat>\n"
    for way in ("inline", "http"):
        inner += f'<uploadMethod ivo-id="ivo://ivoa.net/std/TAPRegExt#upload-{way}"/>\n'
    kept = int(limits.days * 86400)
    inner += (
        f"<retentionPeriod><default>{kept}</default></retentionPeriod>\n"
        f"<executionDuration><default>{limits.seconds}</default><hard>{limits.seconds}</hard></executionDuration>\n"
        f'<outputLimit><default unit="row">{limits.rows}</default>'
        f'<hard unit="row">{limits.most_rows}</hard></outputLimit>\n'
        f'<uploadLimit><hard unit="byte">{limits.upload_bytes}</hard></uploadLimit>\n'
    )
    return _capability(Capability("ivo://ivoa.net/std/TAP", base, "1.1", "base"), inner, "tr:TableAccess")


def availability_document(available: bool, since: datetime, notes: Sequence[str] = ()) -> str:
    """The XML of whether a service works, and since when."""
    told = "".join(f"<note>{xml_text(note)}</note>\n" for note in notes)
    return (
        f'{_HEAD}<availability xmlns="http://www.ivoa.net/xml/VOSIAvailability/v1.0">\n'
        f"<available>{'true' if available else 'false'}</available>\n<upSince>{instant(since)}</upSince>\n"
        f"{told}</availability>\n"
    )


def tables_document(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The XML of the tables that can be queried.

    Parameters
    ----------
    tables
        The rows of TAP_SCHEMA, by the name of its table: ``schemas``, ``tables``, ``columns``, ``keys`` and
        ``key_columns``; what one person may see, so that both tell the same.
    """
    parts = [
        (
            f'{_HEAD}<vosi:tableset xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0" '
            f'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" {_XSI}>\n'
        )
    ]
    for schema in tables["schemas"]:
        parts.append(f"<schema>\n{_said('name', schema['schema_name'])}")
        parts.append(_said("description", schema.get("description")) + _said("utype", schema.get("utype")))
        parts += [
            _table(each, tables) for each in tables["tables"] if each["schema_name"] == schema["schema_name"]
        ]
        parts.append("</schema>\n")
    return "".join(parts) + "</vosi:tableset>\n"


def _table(table: Mapping[str, Any], tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    name = table["table_name"]
    columns = "".join(_column(each) for each in tables["columns"] if each["table_name"] == name)
    keys = "".join(_key(each, tables) for each in tables["keys"] if each["from_table"] == name)
    return (
        f"<table type={quoteattr(table.get('table_type') or 'table')}>\n{_said('name', name)}"
        f"{_said('description', table.get('description'))}{_said('utype', table.get('utype'))}{columns}{keys}</table>\n"
    )


def _column(column: Mapping[str, Any]) -> str:
    standard = ' std="true"' if column.get("std") else ""
    said = "".join(
        _said(name, column.get(other))
        for name, other in (
            ("name", "column_name"),
            ("description", "description"),
            ("unit", "unit"),
            ("ucd", "ucd"),
            ("utype", "utype"),
        )
    )
    size = f" arraysize={quoteattr(str(column['arraysize']))}" if column.get("arraysize") else ""
    extended = f" extendedType={quoteattr(column['xtype'])}" if column.get("xtype") else ""
    kind = f'<dataType xsi:type="vs:VOTableType"{size}{extended}>{column["datatype"]}</dataType>\n'
    flags = "<flag>indexed</flag>\n" if column.get("indexed") else ""
    return f"<column{standard}>\n{said}{kind}{flags}</column>\n"


def _key(key: Mapping[str, Any], tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    columns = "".join(
        f"<fkColumn>{_said('fromColumn', each['from_column'])}{_said('targetColumn', each['target_column'])}</fkColumn>\n"
        for each in tables["key_columns"]
        if each["key_id"] == key["key_id"]
    )
    told = _said("description", key.get("description"))
    return f"<foreignKey>\n{_said('targetTable', key['target_table'])}{columns}{told}</foreignKey>\n"


def _said(name: str, text: object) -> str:
    return f"<{name}>{xml_text(str(text))}</{name}>\n" if text not in (None, "") else ""
