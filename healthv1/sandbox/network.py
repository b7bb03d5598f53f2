"""A bridge that hosts and this machine meet on, and a way out for the hosts' packages. Gone without trace after."""

from __future__ import annotations

from pathlib import Path

from healthv1.sandbox.addresses import Addresses
from healthv1.sandbox.commands import run, succeeds
from healthv1.sandbox.locks import locked
from healthv1.sandbox.place import state_root

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def connect(addresses: Addresses) -> None:
    if not _exists(addresses.bridge):
        # A fixed hardware address: else it changes with each host that comes or goes, and neighbours lose it.
        hardware = f"02:68:76:31:00:{addresses.number:02x}"
        run("ip", "link", "add", addresses.bridge, "address", hardware, "type", "bridge")
    run("ip", "address", "replace", f"{addresses.gateway}/24", "dev", addresses.bridge)
    run("ip", "address", "replace", f"{addresses.gateway6}/64", "dev", addresses.bridge, "nodad")
    run("ip", "link", "set", addresses.bridge, "up")
    run("nft", "-f", "-", stdin=_rules(addresses))
    _forward()


def disconnect(addresses: Addresses) -> None:
    if _exists(addresses.bridge):
        run("ip", "link", "delete", addresses.bridge)
    table = ("table", "inet", _table(addresses))
    if succeeds("nft", "list", *table):
        run("nft", "delete", *table)


def restore_forwarding() -> None:
    """Put forwarding back to what it was before the first sandbox, if the last one is gone."""
    with locked(state_root() / "locks" / ".forwarding"):
        before = state_root() / "ip_forward"
        if before.exists() and not any((state_root() / "sandboxes").iterdir()):
            FORWARDING.write_text(before.read_text(encoding="ascii"), encoding="ascii")
            before.unlink()


def _exists(link: str) -> bool:
    return Path("/sys/class/net", link).exists()


def _table(addresses: Addresses) -> str:
    return f"healthv1_{addresses.number}"


def _rules(addresses: Addresses) -> str:
    table = f"table inet {_table(addresses)}"
    return f"""{table} {{}}
delete {table}
{table} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        ip saddr {addresses.network} oifname != "{addresses.bridge}" masquerade
    }}
}}
"""


def _forward() -> None:
    with locked(state_root() / "locks" / ".forwarding"):
        before = state_root() / "ip_forward"
        if not before.exists():
            before.write_text(FORWARDING.read_text(encoding="ascii"), encoding="ascii")
        FORWARDING.write_text("1\n", encoding="ascii")
