"""What a host must bring (row G1 of the guide)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deploys.component import Settings

SUPPORTED = {
    ("debian", "12"): "Debian 12",
    ("debian", "13"): "Debian 13",
    ("ubuntu", "22.04"): "Ubuntu 22.04",
    ("ubuntu", "24.04"): "Ubuntu 24.04",
}
GIB = 2**30
Amount = Annotated[float, Field(ge=0)]


class Preflight(Settings):
    minimum_cores: Annotated[int, Field(ge=1)] = 4
    minimum_memory: Amount = 8
    """GiB. A machine sold as 8 GB shows a little less: 10 % are forgiven."""
    minimum_disk: Amount = 100
    """GB of the file system that holds /var."""
    minimum_free: Amount = 2
    """GB still free on it: a full disk stops an installation half-way."""
    clock_tolerance: Annotated[int, Field(ge=60)] = 300
    """Seconds by which a host's clock may differ from the operator's: as far as Kerberos and most authorities go."""
