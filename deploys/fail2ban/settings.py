"""When an address is banned, for how long, and which addresses never are."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from deploys.component import Settings


def _is_network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("give an address or a network like 192.0.2.0/24, without host bits") from None
    if network.prefixlen == 0:
        raise ValueError("that is everybody: nobody would be banned")
    return text


Network = Annotated[str, AfterValidator(_is_network)]
Positive = Annotated[int, Field(ge=1)]


class Fail2ban(Settings):
    maxretry: Positive = 5
    """Failed logins by SSH within `findtime` that lead to a ban."""
    findtime: Annotated[int, Field(ge=60)] = 600
    """Seconds."""
    bantime: Annotated[int, Field(ge=60)] = 3600
    """Seconds of the first ban; each further one of the same address lasts about twice as long."""
    bantime_maximum: Annotated[int, Field(ge=60)] = 604800
    """Seconds."""
    nginx_rejections: Annotated[int, Field(ge=100)] = 1000
    """Requests beyond Nginx's rate limits within `findtime` that lead to a ban.

    High: a clinic shares one address, and what is beyond the limit is refused anyway.
    """
    nginx_scans: Positive = 10
    """Requests within `findtime` for what only scanners look for: /wp-login.php, /phpmyadmin …"""
    never_ban: tuple[Network, ...] = ()
    """Addresses and networks of an office or a VPN. All hosts of the inventory are spared anyway."""
    spare_logins_of_days: Annotated[int, Field(ge=1, le=366)] = 30
    """An address from which a key opened a login over SSH within so many days is spared."""

    @field_validator("bantime_maximum")
    @classmethod
    def _is_no_less_than_the_first(cls, maximum: int, info: ValidationInfo) -> int:
        if maximum < info.data.get("bantime", maximum):
            raise ValueError("it is less than bantime")
        return maximum
