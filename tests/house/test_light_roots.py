"""What must stay cheap to import does not pull in what is heavy."""

import subprocess
import sys

import pytest

from skysift.plugins import PLUGINS

HEAVY = {"numba", "llvmlite", "matplotlib", "dask", "astropy", "pyarrow", "scipy", "regions", "torch"}

ROOTS = {
    "skysift": HEAVY | {"numpy", "pydantic", "typer"},
    "skysift.plugins": HEAVY | {"numpy", "pydantic", "typer"},
    "skysift.base.registry": HEAVY | {"numpy", "typer"},
    "skysift.cli.main": HEAVY | {"numpy"},
    "skysift.serve.app": {"torch", "numba", "matplotlib", "dask", "scipy"},  # a service starts at once
    **{
        path.partition(":")[0]: HEAVY
        for kind in PLUGINS.values()
        for _, path in kind.values()
        if path  # a menu without its kitchen
    },
    # a verb may tell its help without the compiled code and the figures
    **{path.partition(":")[0]: {"numba", "matplotlib", "torch"} for path, _ in PLUGINS["command"].values()},
}


@pytest.mark.parametrize("root", ROOTS)
def test_a_light_root_loads_nothing_heavy(root):
    code = f"import sys; import {root}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "skysift" in loaded
    assert not loaded & ROOTS[root]
