"""Where: every finder, behind one door; the folder itself is the verb: ``skysift.find(image, "classic")``."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _FindFolder(ModuleType):
    """A folder that can be called, since `skysift.find` is both this folder and the verb of the package."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The catalogue that `skysift.find.run.find` makes; see there."""
        from skysift.find.run import find  # late: it loads the compiled code

        return find(*args, **kwargs)


sys.modules[__name__].__class__ = _FindFolder
