"""Whatever is broken by hand is named by verify, and one apply mends it. What plans name: test_fidelity.py."""

import pytest

BREAKAGES = [
    ("the database is down", "systemctl stop 'postgresql@*.service'", "postgresql"),
    ("the pooler is down", "systemctl stop pgbouncer", "pgbouncer"),
    ("redis is down", "systemctl stop redis-server", "redis"),
    ("nginx is down", "systemctl stop nginx", "outside"),
    ("fail2ban is down", "systemctl stop fail2ban", "fail2ban"),
    ("the kernel has lost the firewall's rules", "nft flush ruleset", "ufw"),
    (
        "a port is open that nobody allowed",
        "ufw allow 9999/tcp; systemd-run -u open python3 -m http.server 9999",
        "outside",
    ),
]


@pytest.mark.parametrize(("breakage", "command", "component"), BREAKAGES, ids=[one[0] for one in BREAKAGES])
def test_verify_names_what_is_broken(mended, driver, breakage, command, component):
    mended.shell(command)
    code, report = mended.json("verify", "sandbox")
    assert code == 1
    false = {one["component"] for one in report["findings"] if not one["holds"]}
    assert component in false, (breakage, false)
    driver.apply().assert_faithful()
