"""The index of the house: kind -> name -> (path of the object, path of its options); one line per algorithm.

Strings only: nothing is imported here, so that this page costs nothing to read. `skysift.base.registry` loads
what is asked for. A third party adds to a kind by the entry points ``skysift.<kind>`` (the object) and
``skysift.<kind>.options`` (its options, under the same name).
"""

PLUGINS: dict[str, dict[str, tuple[str, str]]] = {
    "finder": {
        "classic": (
            "skysift.find.classic.finder:ClassicFinder",
            "skysift.find.classic.options:ClassicOptions",
        ),
    },
    "scorer": {
        "counts": ("skysift.score.counts:CountsScorer", "skysift.score.options:CountsOptions"),
        "fluxes": ("skysift.score.fluxes:FluxesScorer", "skysift.score.options:FluxesOptions"),
        "classes": ("skysift.score.classes:ClassesScorer", "skysift.score.options:ClassesOptions"),
        "sdc1": ("skysift.score.sdc1:Sdc1Scorer", "skysift.score.options:Sdc1Options"),
        "sdc2": ("skysift.score.sdc2:Sdc2Scorer", "skysift.score.options:Sdc2Options"),
    },
    "command": {
        "find": ("skysift.cli.find:find", ""),
        "info": ("skysift.cli.info:info", ""),
        "options": ("skysift.cli.options:options", ""),
        "columns": ("skysift.cli.columns:columns", ""),
        "convert": ("skysift.cli.convert:convert", ""),
    },
    "format": {
        "fits": ("skysift.io.tables:FitsFormat", ""),
        "votable": ("skysift.io.votable:VOTableFormat", ""),
        "parquet": ("skysift.io.tables:ParquetFormat", ""),
        "csv": ("skysift.io.tables:CsvFormat", ""),
    },
    "layout": {},
    "executor": {
        "serial": ("skysift.base.parallel:serial", ""),
        "threads": ("skysift.base.parallel:threads", ""),
    },
}
