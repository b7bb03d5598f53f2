"""Whatever is broken by hand is named by verify, and one apply mends it. What plans name: test_fidelity.py."""

import pytest

# Together what verify can tell apart. The website is named for nearly everything: what is outside breaks alone.
BREAKAGES = {
    "the pooler, redis and fail2ban are down": (
        "systemctl stop health-v1-pgbouncer redis-server@health-v1 fail2ban",
        {"pgbouncer", "redis", "fail2ban"},
    ),
    "the database is down and the kernel has lost the firewall's rules": (
        "systemctl stop 'postgresql@*.service'; nft flush ruleset",
        {"postgresql", "ufw"},
    ),
    "nginx is down": ("systemctl stop nginx", {"outside"}),
    "a port is open that nobody allowed": (
        "ufw allow 9999/tcp; systemd-run -u open python3 -m http.server 9999",
        {"outside"},
    ),
}


@pytest.mark.parametrize(("command", "components"), BREAKAGES.values(), ids=BREAKAGES)
def test_verify_names_what_is_broken(mended, driver, command, components):
    mended.shell(command)
    code, report = mended.json("verify", "sandbox")
    assert code == 1
    false = {one["component"] for one in report["findings"] if not one["holds"]}
    assert components <= false
    driver.apply().assert_faithful()
