"""All routes of the protocols, in the order in which they are looked at."""

from __future__ import annotations

from fastapi import APIRouter

from skysift.serve.vo import datalink, hips, scs, sia, soda, tap, vlkb

__all__ = ["protocols"]

protocols: tuple[APIRouter, ...] = (
    tap.router,
    tap.jobs,
    sia.router,
    scs.router,
    soda.router,
    soda.jobs,
    datalink.router,
    datalink.files,
    hips.router,
    vlkb.router,
    vlkb.jobs,
)
