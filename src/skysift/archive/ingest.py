"""`ingest`: a map, a cube, a catalogue or a folder of products goes onto the shelf; the same content only once."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import select

from skysift.archive.cells import cells_of
from skysift.archive.fields import HeldTable, regular_name
from skysift.archive.footprints import footprint_of
from skysift.archive.holdings import Entry, Holdings, now
from skysift.archive.images import describe_image
from skysift.archive.policy import Access, User
from skysift.archive.positions import position_of
from skysift.archive.regions import parse_region, vector_of
from skysift.archive.rows import entries, held_tables
from skysift.archive.sources import is_catalogue, noted, open_rows
from skysift.archive.storage import lettered
from skysift.archive.store import drop, store_rows
from skysift.archive.vlkb import with_names_of_vlkb
from skysift.base.errors import FormatError, OptionError, UnknownName, UsageError
from skysift.base.store import checksum
from skysift.io.open import file_of
from skysift.io.sql import told

__all__ = ["Ingest", "ingest"]

FITS, VOTABLE = "application/fits", "application/x-votable+xml"
_MEDIA = {
    ".fits": FITS, ".fit": FITS, ".fts": FITS, ".fz": FITS, ".vot": VOTABLE, ".votable": VOTABLE, ".xml": VOTABLE,
    ".parquet": "application/vnd.apache.parquet", ".csv": "text/csv", ".html": "text/html", ".json": "application/json",
    ".png": "image/png", ".txt": "text/plain", ".md": "text/markdown", ".reg": "text/plain", ".crtf": "text/plain",
}  # fmt: skip
_ROLES = {
    "noise": "noise",
    "rms": "noise",
    "background": "background",
    "bkg": "background",
    "labels": "auxiliary",
}
_KINDS = ("islands", "sources", "components")
_MANIFEST = "manifest.json"
_COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Ingest:
    """What to say about something that goes onto the shelf.

    Parameters
    ----------
    access
        Whose it is, and who may see it.
    collection
        What it is part of; the schema of its tables too.
    survey, species, transition
        As the VLKB names surveys.
    table
        The name of its table; by default that of the file.
    schema
        The schema of its table; by default the collection.
    description
        What the table holds.
    keep
        Whether the shelf keeps a copy of its own; else the file is held where it lies.
    obs_id, title
        For ObsCore; by default from the file.
    called
        What a folder of products is called, and its tables begin with; by default the name of the folder.
    refers
        Column of its table -> ``table.column`` of the same schema that it refers to: a key of TAP_SCHEMA.
    """

    access: Access
    collection: str = "local"
    survey: str = ""
    species: str = ""
    transition: str = ""
    table: str = ""
    schema: str = ""
    description: str = ""
    keep: bool = False
    obs_id: str = ""
    title: str = ""
    called: str = ""
    refers: Mapping[str, str] = field(default_factory=dict)


def ingest(
    shelf: Holdings,
    path: str | Path,
    user: User,
    *,
    access: Access | None = None,
    collection: str = "local",
    **said: Any,
) -> Entry:
    """The entry of a file or folder that is now on the shelf; what is there already is given back as it is.

    Parameters
    ----------
    shelf
        Where it goes.
    path
        A FITS map or cube (``map.fits[1]`` names an HDU), a catalogue (FITS, VOTable, Parquet, CSV), or the folder of a
        run of ``skysift find``.
    user
        Who puts it there; its owner, unless `access` says otherwise.
    access
        Whose it is, and who may see it; private by default.
    collection
        What it is part of: letters, digits, ``.``, ``_`` and ``-``.
    said
        More of `Ingest`.

    Raises
    ------
    UsageError
        There is no such file, the user is not known, or the name of the collection is not allowed.
    FormatError
        It is neither image nor table nor folder of products.
    """
    if not user.known:
        raise UsageError("only somebody who is known puts things onto the shelf")
    whose = access or Access(user.name)
    if whose.owner != user.name and not user.admin:
        raise UsageError("only those who run the service put things there for others", got=whose.owner)
    if not _COLLECTION.fullmatch(collection):
        raise OptionError(
            "the name of a collection is not allowed",
            got=collection,
            allowed="up to 100 letters, digits, '.', '_' and '-', of which the first is a letter or digit",
        )
    told_of = Ingest(whose, collection, **said)
    place = Path(path)
    if place.is_dir():
        return _folder(shelf, place, told_of)
    file = Path(file_of(str(path)))
    if not file.is_file():
        raise UsageError("no such file", got=str(path))
    if is_catalogue(file):
        return _catalogue(shelf, file, told_of)
    with file.open("rb") as opened:
        if opened.read(9) != b"SIMPLE  =":
            raise FormatError(
                "the file is neither an image nor a table",
                got=file.name,
                allowed="FITS, VOTable, Parquet, CSV",
            )
    return _image(shelf, Path(path), file, told_of)


def _id(*parts: str) -> str:
    """A short name of content: the same for the same."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(digest)[:16].decode().lower()


def _new(
    shelf: Holdings,
    file: Path,
    kind: str,
    said: Ingest,
    *,
    hdu: int = -1,
    role: str = "this",
    parent: str = "",
) -> Entry:
    """The entry that a file would be."""
    digest, size = checksum(str(file))
    name = _id(digest, str(hdu), said.access.owner, said.collection, parent, file.name if parent else "")
    return Entry(
        name,
        f"ivo://{shelf.authority}/{said.collection}?{name}",
        said.collection,
        kind,
        file.name,
        role,
        parent,
        file.resolve(),
        hdu,
        digest,
        size,
        _MEDIA.get(file.suffix.lower(), "application/octet-stream"),
        now(),
        said.access,
        said.survey,
        said.species,
        said.transition,
    )


def _known(shelf: Holdings, new: Entry) -> bool:
    with told(), shelf.engine.connect() as connection:
        return connection.execute(select(entries.c.id).where(entries.c.id == new.id)).first() is not None


def _known_as(shelf: Holdings, new: Entry, said: Ingest) -> Entry:
    """The entry that is there already; what was held where it lies is copied now, if the shelf is to keep it."""
    there = shelf.entry(new.id, User("", admin=True))
    if not said.keep or there.path.is_relative_to(shelf.folder.resolve()):
        return there
    kept = replace(there, path=_kept(shelf, new, said).path)
    with told(), shelf.engine.begin() as connection:
        shelf.place(connection, kept)
    return kept


def _kept(shelf: Holdings, new: Entry, said: Ingest) -> Entry:
    """The entry with the place of its file: a copy on the shelf, if it is to keep one."""
    if not said.keep:
        return new
    folder = shelf.folder / new.id
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / new.name
    part = folder / f".{target.name}.part"
    shutil.copyfile(new.path, part)
    part.replace(target)
    return replace(new, path=target.resolve())


def _image(
    shelf: Holdings, path: Path, file: Path, said: Ingest, *, role: str = "this", parent: str = ""
) -> Entry:
    from skysift.io.open import chosen_hdu

    hdu = chosen_hdu(str(path)).index
    new = _new(shelf, file, "image", said, hdu=hdu, role=role, parent=parent)
    if _known(shelf, new):
        return _known_as(shelf, new, said)
    found = describe_image(path, new.size)
    footprint = footprint_of(parse_region(found["s_region"])) if found.get("s_region") else ""
    new = _kept(shelf, replace(new, kind=str(found["dataproduct_type"]), footprint=footprint), said)
    if found.get("s_ra") is not None:
        import numpy as np

        x, y, z = vector_of(found["s_ra"], found["s_dec"])
        cell = int(cells_of(np.array([found["s_ra"]]), np.array([found["s_dec"]]))[0])
        found |= {"hpx": cell, "ux": x, "uy": y, "uz": z}
    found |= {
        "entry": new.id,
        "obs_collection": new.collection,
        "obs_id": said.obs_id or file.stem,
        "obs_title": said.title or file.name,
        "obs_publisher_did": new.did,
        "access_format": FITS,
        "dataproduct_subtype": None if role == "this" else role,
        "calib_level": 4 if parent else found["calib_level"],
    }
    with told(), shelf.engine.begin() as connection:
        shelf.add_entry(connection, new)
        shelf.add_observation(connection, found)
    return new


def _catalogue(shelf: Holdings, file: Path, said: Ingest, *, role: str = "this", parent: str = "") -> Entry:
    schema = regular_name(said.schema or said.collection, "schema")
    if schema in ("tap_schema", "ivoa", "tap_upload"):
        raise OptionError("the schema is one of the service", got=schema, todo="choose another collection")
    new = _new(shelf, file, "catalogue", said, role=role, parent=parent)
    shelf.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(shelf.folder / f".{new.id}.lock"):  # of two that bring the same, one stores it
        if not _known(shelf, new):
            new = _kept(shelf, new, said)
            try:
                _store(shelf, new, schema, said)
            except BaseException:
                with told(), shelf.engine.begin() as connection:
                    drop(connection, f"cat_{new.id}")
                raise
    (shelf.folder / f".{new.id}.lock").unlink(missing_ok=True)
    return _known_as(shelf, new, said)


def _store(shelf: Holdings, new: Entry, schema: str, said: Ingest) -> None:
    """Put a catalogue into the database, and declare its table."""
    physical = f"cat_{new.id}"
    with with_names_of_vlkb(open_rows(new.path)) as source:
        beyond: set[str] = set()
        count = store_rows(shelf.engine, physical, noted(source, beyond))
        found = position_of(source.fields)
        fast = {each.column for each in found[:2]} if found is not None else set()
        fields = tuple(
            replace(each, indexed=each.indexed or each.column in fast, principal=each.column in fast)
            for each in lettered(source.fields, beyond)
        )
        with told(), shelf.engine.begin() as connection:
            shelf.add_entry(connection, new)
            table = HeldTable(
                schema,
                _free(connection, schema, regular_name(said.table or Path(new.name).stem)),
                fields,
                physical,
                said.description or source.description or new.name,
                position=(found[0].column, found[1].column) if found is not None else None,
                system=found[2] if found is not None else "ICRS",
                vectors=found is not None,
                rows=count,
                entry=new.id,
            )
            number = shelf.add_table(connection, table)
            for column, target in said.refers.items():
                _refer(shelf, connection, table, number, column, target)


def _refer(shelf: Holdings, connection: Any, table: HeldTable, number: int, column: str, target: str) -> None:
    """Declare that a column refers to one of another table of the schema."""
    name, _, other = target.partition(".")
    c = held_tables.c
    there = connection.execute(select(c.id).where(c.schema_name == table.schema, c.name == name)).scalar()
    if there is None or not other:
        raise UnknownName(
            "there is no such table to refer to", got=target, allowed="table.column of the schema"
        )
    shelf.add_key(
        connection,
        f"{table.entry}_{number}_{column}"[:64],
        number,
        there,
        [(table.field(column).name, other)],
    )


def _free(connection: Any, schema: str, wanted: str) -> str:
    """A name for a table that no other of the schema has: that of somebody else may be hidden."""
    taken = {
        row.name
        for row in connection.execute(select(held_tables.c.name).where(held_tables.c.schema_name == schema))
    }
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _folder(shelf: Holdings, folder: Path, said: Ingest) -> Entry:
    """The products of a run: its tables, its maps, its other files, all of one entry."""
    manifest = folder / _MANIFEST
    if not manifest.is_file():
        raise FormatError(
            "the folder holds no products of skysift", got=str(folder), allowed=f"one with {_MANIFEST}"
        )
    try:
        story = json.loads(manifest.read_text(encoding="utf-8"))
        outputs = [str(each["name"]) if isinstance(each, dict) else str(each) for each in story["outputs"]]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise FormatError("the manifest of the folder cannot be read", got=str(manifest)) from error
    copied = _kept(shelf, _new(shelf, manifest, "product", said), said)
    product = replace(
        copied,
        name=said.called or folder.resolve().name,
        path=copied.path.parent,
        provenance=json.dumps(story),
    )
    with told(), shelf.engine.begin() as connection:
        shelf.add_entry(connection, product)
        if said.keep:
            shelf.place(connection, product)
    base = regular_name(said.table or product.name)
    numbers: dict[str, int] = {}
    for name in outputs:
        file = folder / name
        if not file.is_file() or file.resolve().parent != folder.resolve():
            continue
        stem = file.name.split(".")[0]
        if (
            file.suffix in (".fits", ".fz", ".parquet", ".vot", ".csv")
            and is_catalogue(file)
            and ".moc" not in name
        ):
            each = replace(said, table=f"{base}_{stem}", description=f"{stem} of {product.name}")
            entry = _catalogue(shelf, file, each, role="derivation", parent=product.id)
            numbers[stem] = _number(shelf, entry)
        elif file.suffix in (".fits", ".fz") and ".moc" not in name and _is_image(file):
            _image(shelf, file, file, said, role=_ROLES.get(stem, "auxiliary"), parent=product.id)
        else:
            _file(shelf, file, said, product)
    _link(shelf, numbers, product)
    return shelf.entry(product.id, User("", admin=True))


def _is_image(file: Path) -> bool:
    from skysift.io.cards import read_hdus

    return any(hdu.has_image for hdu in read_hdus(str(file)))


def _file(shelf: Holdings, file: Path, said: Ingest, product: Entry) -> None:
    new = _new(shelf, file, "file", said, role="auxiliary", parent=product.id)
    if _known(shelf, new):
        _known_as(shelf, new, said)
        return
    with told(), shelf.engine.begin() as connection:
        shelf.add_entry(connection, _kept(shelf, new, said))


def _number(shelf: Holdings, entry: Entry) -> int:
    with told(), shelf.engine.connect() as connection:
        return int(
            connection.execute(select(held_tables.c.id).where(held_tables.c.entry == entry.id)).scalar_one()
        )


def _link(shelf: Holdings, numbers: dict[str, int], product: Entry) -> None:
    """Components refer to their islands and sources."""
    with told(), shelf.engine.begin() as connection:
        for target, column in (("sources", "source_id"), ("islands", "island_id")):
            if "components" in numbers and target in numbers:
                key = f"{product.id}_{target}"
                shelf.add_key(connection, key, numbers["components"], numbers[target], [(column, column)])
