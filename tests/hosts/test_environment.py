"""systemd itself reads an environment file exactly as it was meant."""

import base64

from deploys.environment.variables import env_file

AWKWARD = "/+=$#\"'\\ `~!%&|;<>(){}[]*?\t\x01äü\u2028 "
VALUES = [
    "",
    " ",
    "'",
    '"',
    "\\",
    "$HOME",
    "${HOME}",
    "%h %%",
    "a'b\"c\\d$e`f",
    "#",
    "x # y",
    "\\'",
    "''",
    "a\\nb",
    AWKWARD,
]


def test_systemd_reads_every_value_as_it_was_meant(deployed):
    named = {f"V{i}": value for i, value in enumerate([*VALUES, *AWKWARD, *(f"'{one}" for one in AWKWARD)])}
    encoded = base64.b64encode(env_file(named).encode()).decode()
    read = deployed.shell(
        f"echo {encoded} | base64 -d > /run/test.env; trap 'rm /run/test.env' EXIT; "
        "systemd-run --quiet --wait --pipe --collect -p EnvironmentFile=/run/test.env env -0 | base64 -w0"
    )
    lines = base64.b64decode(read).decode().split("\0")
    found = dict(line.split("=", 1) for line in lines if line)
    assert {name: found.get(name) for name in named} == named
