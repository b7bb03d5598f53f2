"""Which release runs, and how much of a host each instance may take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field

from deploys.component import Settings

PYTHON = {
    ("debian", "12"): "3.11",
    ("debian", "13"): "3.13",
    ("ubuntu", "22.04"): "3.10",
    ("ubuntu", "24.04"): "3.12",
}
"""What python3 is in each supported distribution: known before it is installed."""

PACKAGES = ("python3",)


@runtime_checkable
class Release(Protocol):
    """A release artifact on the operator's side."""

    def version(self, python: str, architecture: str) -> str:
        """Return the name of its folder, without building anything."""

    def archive(self, python: str, architecture: str) -> Path:
        """Return a .tar.gz of its folder, for that Python and architecture. Raises `Refused`."""


class Api(Settings):
    release: Release
    keep_releases: Annotated[int, Field(ge=2)] = 5
    """The one that runs among them."""
    limit_nofile: Annotated[int, Field(ge=1024)] = 65536
    limit_nproc: Annotated[int, Field(ge=64)] = 4096
