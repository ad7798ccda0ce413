"""`fetch_upload`: a file that the service fetches for a user, kept as an upload of theirs."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from skysift.archive.policy import Access
from skysift.io.fetch import Fetcher
from skysift.jobs.folder import media_type
from skysift.serve.context import Context
from skysift.serve.uploads import Receiving, Upload

__all__ = ["begin_upload", "fetch_upload"]

_BLOCK = 1 << 20


def begin_upload(asked: Context, name: str, source: str = "") -> Receiving:
    """An upload of the user who asks, within the limits of the service."""
    settings = asked.settings
    return asked.uploads.begin(
        asked.user, name, source=source, limit=settings.upload_limit, quota=settings.uploads_per_user
    )


def fetch_upload(asked: Context, url: str, name: str = "", access: Access | None = None) -> Upload:
    """An upload that the service fetches itself.

    Raises
    ------
    UsageError
        The URL leads to a place that is not fetched from, or the file is too large.
    TransientError
        The place does not answer.
    """
    settings = asked.settings
    last = PurePosixPath(unquote(urlsplit(url).path)).name
    receiving = begin_upload(asked, name or last or "file", source=url)
    allowed = tuple(each.strip() for each in settings.fetch_from.split(",") if each.strip())
    got = receiving.part.with_name(".fetched")
    try:
        Fetcher(limit=receiving.limit, allowed=allowed, seconds=settings.fetch_patience).fetch(url, got)
        with got.open("rb") as file:
            while block := file.read(_BLOCK):
                receiving.write(block)
        got.unlink()
        return receiving.finish(media_type(receiving.name), access or Access(asked.user.name))
    except BaseException:
        receiving.abandon()
        raise
