"""Bare hosts as they were recorded, one per supported distribution: `healthv1 plan recorded` needs no server at all.

Whatever is asked of them beyond these facts is answered with nothing, as a bare host does.
"""

_MACHINE = """os={}
release={}
architecture=x86_64
cores=4
memory=8323072000
disk=105088212992
free=98784247808
python={}
rotational=0"""


def _host(name: str, *, os: str, release: str, python: str) -> tuple[str, dict[str, object]]:
    responses = {"/etc/os-release": _MACHINE.format(os, release, python)}
    # Each stands for a server of its own that plays every part.
    alone = {"private_address": "127.0.0.1"}
    return (f"@fake/{name}", {"fake_responses": responses, "fake_delay": 0, "fake_delay_jitter": 0, **alone})


_hosts = [
    _host("debian12", os="debian", release="12", python="3.11"),
    _host("debian13", os="debian", release="13", python="3.13"),
    _host("ubuntu2204", os="ubuntu", release="22.04", python="3.10"),
    _host("ubuntu2404", os="ubuntu", release="24.04", python="3.12"),
]

database = _hosts
api = _hosts
edge = _hosts
