"""`CutoutApp`: parts of maps of the shelf as a job, a file each; `ManyCutoutsApp`: thousands, in one archive."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skysift.archive.policy import User
from skysift.archive.shelf import Shelf
from skysift.base.errors import FormatError, RegionError, SkysiftError, UsageError
from skysift.base.parallel import Crew
from skysift.base.places import without_places
from skysift.jobs.apps.app import Errand
from skysift.jobs.apps.options import CutoutOptions, ManyCutoutsOptions
from skysift.jobs.apps.shelf import shelf_of
from skysift.jobs.cutting import cut_part, cutting_of, file_name, image_of, interval
from skysift.stamps.batch import Item, Outcome, cut_all
from skysift.stamps.region import parse_shape, system_of

__all__ = ["CutoutApp", "ManyCutoutsApp"]

MOST_ITEMS = 100_000
REPORT = "report.json"
_KEYS = {"id", "pubdid", "pos", "possys", "band", "velocity", "pol", "name"}


class CutoutApp:
    """Parts of maps of the shelf, a FITS file each.

    Parameters
    ----------
    options
        What is wanted, as SODA has it.
    """

    def __init__(self, options: CutoutOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Cut, and report each part; one alone that cannot be made is the error of the job.

        Raises
        ------
        SkysiftError
            What is asked is not allowed, or nothing could be made.
        """
        told = self.options
        cutting = cutting_of(
            ids=told.id,
            pos=told.pos,
            possys=told.possys,
            bands=told.band,
            pol=told.pol,
            velocity=told.velocity,
            pixel=told.pixel,
        )
        report: list[dict[str, Any]] = []
        failures: list[SkysiftError] = []
        with shelf_of(errand) as (shelf, user):
            for number, part in enumerate(cutting.parts()):
                errand.progress("cutouts", number, len(cutting))
                row: dict[str, Any] = {"id": part.id, "pos": str(part.shape or ""), "file": "", "error": ""}
                try:
                    entry = image_of(shelf, part.id, user)
                    made = cut_part(entry, part)
                    if made.empty:
                        raise RegionError("the map holds nothing of what was asked for", got=made.told)
                    row["file"] = file_name(entry, number if len(cutting) > 1 else None)
                    made.write(errand.out / row["file"])
                    row |= {"overlap": made.overlap, "shape": list(made.shape), "bytes": made.size}
                except SkysiftError as error:
                    if error.kind in ("transient", "fatal"):
                        raise
                    failures.append(error)
                    row |= {"file": "", "error": without_places(str(error))}
                report.append(row)
                errand.item(f"{number}", not row["error"], row["error"])
        errand.progress("cutouts", len(cutting), len(cutting))
        if len(failures) == len(report):
            raise failures[0]
        if len(cutting) > 1:
            _write(
                errand.out / REPORT,
                {"made": len(report) - len(failures), "failed": len(failures), "items": report},
            )


class ManyCutoutsApp:
    """Many parts of many maps of the shelf, in one archive, with a report of each.

    Parameters
    ----------
    options
        Where the list is.
    """

    def __init__(self, options: ManyCutoutsOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Cut them all; what cannot be made spoils its own line of the report only.

        Raises
        ------
        SkysiftError
            The list cannot be read.
        """
        listed = _listed(errand, self.options.items)
        with shelf_of(errand) as (shelf, user):
            found = [_item(shelf, user, each, number) for number, each in enumerate(listed)]
        items = [each for each in found if isinstance(each, Item)]
        crew = Crew(workers=errand.cores, progress=errand.progress)
        plain = errand.out / "cutouts.tar"
        made = iter(cut_all(items, plain, errand.out / ".pieces", crew=crew))
        outcomes = [next(made) if isinstance(each, Item) else each for each in found]
        if self.options.compress:
            with plain.open("rb") as tar, gzip.open(f"{plain}.gz", "wb", compresslevel=1) as packed:
                shutil.copyfileobj(tar, packed, 1 << 20)
            plain.unlink()
        shutil.rmtree(errand.out / ".pieces", ignore_errors=True)
        failed = sum(not each.ok for each in outcomes)
        rows = [
            {"number": number, **each.to_dict(), "error": without_places(each.error)}
            for number, each in enumerate(outcomes)
        ]
        _write(errand.out / REPORT, {"made": len(outcomes) - failed, "failed": failed, "items": rows})
        errand.say(f"{len(outcomes) - failed} cutouts, {failed} could not be made")


def _listed(errand: Errand, name: str) -> list[Mapping[str, Any]]:
    """The list of what is wanted.

    Raises
    ------
    UsageError
        There is none, or it is too long.
    FormatError
        It is not a list of objects.
    """
    source = next((each for each in errand.inputs if each.name == name), None)
    if source is None:
        raise UsageError("the list of cutouts did not come", todo="POST it as JSON")
    try:
        values = json.loads(Path(source.path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise FormatError("the list of cutouts is not JSON", got=str(error)) from error
    listed = values.get("items") if isinstance(values, dict) else values
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise FormatError("the list of cutouts is not a list of objects")
    if not 0 < len(listed) <= MOST_ITEMS:
        raise UsageError(
            "the list of cutouts has an odd length", got=len(listed), allowed=f"1 to {MOST_ITEMS}"
        )
    return listed


def _item(shelf: Shelf, user: User, values: Mapping[str, Any], number: int) -> Item | Outcome:
    """What is wanted, with the paths of the maps; what is wrong with it, where something is."""
    name = str(values.get("name") or number)
    try:
        unknown = sorted(set(values) - _KEYS)
        if unknown:
            raise UsageError("the item has a key that is not known", got=unknown[0], allowed=sorted(_KEYS))
        ids = values.get("id") or values.get("pubdid") or ()
        ids = [part for part in ids.split(";") if part] if isinstance(ids, str) else list(ids)
        entries = [image_of(shelf, str(each), user) for each in ids]
        if not entries:
            raise UsageError("the item names no map", todo="give its identifier as id")
        pos = values.get("pos")
        if isinstance(pos, Mapping):  # {"shape": "CIRCLE", "value": "1 2 0.1"}
            pos = f"{pos.get('shape', '')} {pos.get('value', '')}"
        if pos is not None:
            parse_shape(str(pos))
        system = str(values.get("possys") or "ICRS").upper()
        system_of(system)
        band = interval("band", _pair(values["band"])) if values.get("band") is not None else None
        velocity = (
            interval("velocity", _pair(values["velocity"])) if values.get("velocity") is not None else None
        )
        pol = values.get("pol")
        states = tuple(pol.split()) if isinstance(pol, str) else tuple(map(str, pol or ())) or None
        return Item(
            name,
            tuple(str(each.path) for each in entries),
            None if pos is None else str(pos),
            system,
            entries[0].hdu if entries[0].hdu >= 0 else None,
            band=band,
            velocity=None if velocity is None else (1e3 * velocity[0], 1e3 * velocity[1]),
            pol=states,
        )
    except SkysiftError as error:
        return Outcome(name, error=str(error), kind=error.kind)
    except (TypeError, AttributeError) as error:
        return Outcome(name, error=f"the item cannot be read: {error}", kind="usage")


def _pair(value: object) -> str:
    return value if isinstance(value, str) else " ".join(str(each) for each in value)  # type: ignore[attr-defined]


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
