"""`CutoutsStep`: many cut-outs as one archive, with a report of each item and a manifest."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import skysift
from skysift.base.errors import SkysiftError, UsageError
from skysift.base.fingerprint import fingerprint
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.base.store import name_of, size_of
from skysift.flow.products import MANIFEST, PART, ProductFolder, write_manifest, writing
from skysift.io.open import file_of
from skysift.stamps.batch import Item, Outcome, cut_all

__all__ = ["ARCHIVE", "REPORT", "CutoutsStep"]

ARCHIVE, REPORT = "cutouts.tar", "report.json"
_PIECES = "pieces"


class CutoutsStep:
    """Cut-outs of a list of items: an archive of those that there are, a report of all."""

    def __repr__(self) -> str:
        return "CutoutsStep()"

    def run(
        self,
        items: Sequence[Item],
        out: str | Path,
        *,
        overwrite: bool = False,
        fresh: bool = False,
        crew: Crew = ALONE,
    ) -> tuple[list[Outcome], Manifest]:
        """What became of each item, and the manifest, after both and the archive were written into a folder.

        The folder gets ``cutouts.tar``, ``report.json`` (one object an item, in their order) and ``manifest.json``. A
        run that is broken off goes on where it was when it is repeated.

        Parameters
        ----------
        items
            What is wanted.
        out
            The folder.
        overwrite
            Whether the products of an earlier run are replaced, on success.
        fresh
            Whether what a broken-off run has left is discarded.
        crew
            Who does it.

        Raises
        ------
        UsageError
            There is no item.
        BusyError
            Another run is writing into the folder.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        if not items:
            raise UsageError("there is nothing to cut out", allowed="one item or more")
        key = {
            "version": skysift.__version__,
            "step": "cutouts",
            "items": fingerprint([each.__dict__ for each in items]),
        }
        names = (ARCHIVE, REPORT, MANIFEST)
        with ProductFolder(Path(out), names=names, overwrite=overwrite, key=key, fresh=fresh) as folder:
            crew = folder.keeping(crew)
            work = folder.directory / PART / _PIECES
            with writing(folder.directory):
                outcomes = cut_all(items, folder.path(ARCHIVE), work, crew=crew)
                report = {
                    "items": [{"item": k, **each.to_dict()} for k, each in enumerate(outcomes)],
                    "counts": _counts(outcomes),
                }
                text = json.dumps(report, indent=1, ensure_ascii=False)
                folder.path(REPORT).write_text(text + "\n", encoding="utf-8")
                failed = [each for each in outcomes if each.error]
                manifest = Manifest(
                    Provenance(skysift.__version__, "cutouts", {}, _inputs(items), (), "step"),
                    outputs=(ARCHIVE, REPORT),
                    workers=crew.workers,
                    started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    seconds={"all": time.perf_counter() - clock},
                    counts=_counts(outcomes),
                    versions=library_versions(),
                    warnings=tuple(f"{each.id}: {each.error}" for each in failed[:20]),
                )
                write_manifest(manifest, folder)
            folder.commit()
        return outcomes, manifest


def _counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    overlaps = Counter(each.overlap or "failed" for each in outcomes)
    return {
        "items": len(outcomes),
        "cut": sum(each.ok for each in outcomes),
        **{name: overlaps.get(name, 0) for name in ("full", "partial", "none", "failed")},
    }


def _inputs(items: Sequence[Item]) -> tuple[InputRecord, ...]:
    """The maps by name and size: parts of large maps are made without reading all of them for a checksum."""
    records = []
    for path in dict.fromkeys(file_of(path) for item in items for path in item.paths):
        try:
            records.append(InputRecord(name_of(path), "", size=size_of(path)))
        except SkysiftError:  # it is told in the report
            continue
    return tuple(records)
