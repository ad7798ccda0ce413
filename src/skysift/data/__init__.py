"""What ships with the package: one real map; see README.md beside this file for where it is from."""

from __future__ import annotations

from pathlib import Path

__all__ = ["demo_map"]


def demo_map() -> Path:
    """The path of the bundled map: Fornax A among hundreds of compact sources, SUMSS, 843 MHz."""
    return Path(__file__).parent / "fornax_a.fits.fz"
