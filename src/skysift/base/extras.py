"""Libraries that an extra brings: what to install is said in one way, whoever misses them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from skysift.base.errors import UsageError

__all__ = ["EXTRAS", "missing", "require"]

EXTRAS: Mapping[str, str] = {
    **dict.fromkeys(("torch", "safetensors", "transformers", "onnx", "onnxruntime", "openvino"), "learn"),
    **dict.fromkeys(("lightgbm", "optuna", "shap", "sklearn", "umap"), "learn"),
    **dict.fromkeys(
        ("alembic", "fastapi", "reproject", "sqlalchemy", "sqlglot", "uvicorn", "httpx", "h5py", "zarr"),
        "serve",
    ),
}
"""Library -> the extra that installs it."""


def require(what: str, *libraries: str) -> None:
    """Refuse to go on without libraries of an extra.

    Raises
    ------
    UsageError
        One of them is not installed.
    """
    for name in libraries:
        if find_spec(name) is None:
            raise _told(what, name)


def missing(what: str, error: BaseException) -> UsageError | None:
    """What to say of a failed import: the extra to install; None where no library of an extra is missing."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return _told(what, name) if name in EXTRAS else None


def _told(what: str, library: str) -> UsageError:
    extra = EXTRAS[library]
    return UsageError(
        f"{what} needs the extra {extra}",
        got=f"no {library}",
        todo=f"make install EXTRAS={extra}, or pip install 'skysift[{extra}]'",
    )
