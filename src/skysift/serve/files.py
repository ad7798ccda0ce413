"""Files as answers: streamed, in parts where a Range is asked for, never with a say over our own pages."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import FileResponse, Response

from skysift.base.errors import UnknownName
from skysift.serve.wire import not_changed

__all__ = ["SANDBOX", "file_answer"]

SANDBOX = (
    "sandbox allow-scripts allow-popups allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; form-action 'none'; base-uri 'none'"
)
"""What a page that a user made may do: show itself, with its own scripts, in an origin of its own.

It reads nothing of ours and sends nothing anywhere, whatever is in it.
"""

_SHOWN = re.compile(r"text/plain|text/csv|application/json|image/(png|jpeg)")


def file_answer(
    request: Request, path: Path, name: str, media_type: str, checksum: str, *, show: bool = False
) -> Response:
    """The content of a file.

    Parameters
    ----------
    request
        What is asked; a matching ETag is answered by 304.
    path
        The file.
    name
        What it is called.
    media_type
        Of its content.
    checksum
        Its ETag.
    show
        Whether a browser is to show it: a page then, too, in its sandbox.

    Raises
    ------
    UnknownName
        The file is gone.
    """
    if not path.is_file():
        raise UnknownName("the file is gone", got=name)
    etag = f'"{checksum}"'
    page = media_type in ("text/html", "image/svg+xml", "application/xhtml+xml")
    shown = show and (page or _SHOWN.fullmatch(media_type) is not None)
    headers = {
        "ETag": etag,
        "Cache-Control": "private, max-age=0, must-revalidate",
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(name)}",
        "Content-Security-Policy": SANDBOX,
    }
    if not_changed(request, etag):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, headers=headers, media_type=media_type)
