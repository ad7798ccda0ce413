"""`SamplesStep`: a made sample of classes of radio sources, as a table of features and small images."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.sample_page import samples_page
from skysift.io.features import write_features
from skysift.sim.colours.options import SamplesOptions
from skysift.sim.colours.published import KINDS
from skysift.sim.colours.sample import drawn, table_of
from skysift.sim.colours.stamps import painted
from skysift.sky.features import Features

__all__ = ["FEATURES", "REPORT", "STAMPS", "SamplesMade", "SamplesStep"]

FEATURES, STAMPS, REPORT = "features.parquet", "stamps.npz", "report.html"


@dataclass(frozen=True, eq=False)
class SamplesMade:
    """What was made: the folder, its manifest and the table."""

    folder: Path
    manifest: Manifest
    features: Features


class SamplesStep:
    """Made sources of several classes with published colours: a table, and small images of all bands.

    Parameters
    ----------
    options
        How many of which classes, and what surveys see of them.
    """

    def __init__(self, options: SamplesOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"SamplesStep({self.options!r})"

    def run(self, out: str | Path, *, overwrite: bool = False) -> SamplesMade:
        """The products: ``features.parquet``, ``stamps.npz`` where they are asked for, the page and the manifest.

        Raises
        ------
        OptionError
            A class is not known.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        options = self.options
        outputs = (FEATURES, *((STAMPS,) if options.stamps else ()), REPORT)
        sources = drawn(options)
        notes = [
            "the sample is made: it tells how well colours that scatter so part classes, not how real ones are parted"
        ]
        notes += [
            f"{name}: colours {KINDS[name].sure}" for name in options.classes if KINDS[name].sure == "assumed"
        ]
        told = Provenance(skysift.__version__, "samples", options.to_dict(), notes=tuple(notes), kind="step")
        with ProductFolder(Path(out), names=(*outputs, MANIFEST), overwrite=overwrite) as folder:
            table = table_of(sources, options)
            features = Features(table.names, table.columns, table.values, table.facts, told)
            with writing(folder.directory):
                write_features(features, folder.path(FEATURES))
                if options.stamps:
                    bands, images = painted(sources, options)
                    with folder.path(STAMPS).open("wb") as file:
                        arrays: dict[str, Any] = {
                            "images": images,
                            "bands": np.array(bands),
                            "names": np.array(features.names),
                            "label": sources.labels,
                            **{name: features.facts[name] for name in ("galactic", "ra", "dec")},
                        }
                        np.savez(file, **arrays)
                manifest = Manifest(
                    told,
                    outputs=outputs,
                    workers=1,
                    started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    seconds={"all": time.perf_counter() - clock},
                    counts={name: int((sources.labels == name).sum()) for name in options.classes},
                    versions=library_versions(),
                    warnings=told.notes,
                )
                folder.path(REPORT).write_text(samples_page(features, options, manifest), encoding="utf-8")
                write_manifest(manifest, folder)
            folder.commit()
        return SamplesMade(Path(out), manifest, features)
