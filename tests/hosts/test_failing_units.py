"""A unit that fails always says why: the end of its journal, not that its control process failed."""

import pytest

SAYS = "of the owner: no such license"
BREAK = """d=/etc/systemd/system/{unit}.service.d; mkdir -p $d
printf '[Service]\\n{line}=\\n{line}=+/bin/sh -c "echo {says} >&2; exit 3"\\n' > $d/zz.conf; systemctl daemon-reload"""
# systemd tries again by itself: a plan that is made meanwhile would find the host moving.
MEND = """rm /etc/systemd/system/{unit}.service.d/zz.conf; systemctl daemon-reload
for i in $(seq 100); do systemctl is-active --quiet {unit} && exit; sleep 0.2; done; exit 1"""
REDIS = "redis-server@health-v1"
WAYS = {
    "start": (REDIS, "ExecStart", f"systemctl stop {REDIS}"),
    "restart": (REDIS, "ExecStart", "touch /etc/redis/redis-health-v1.conf"),
    "reload": ("nginx", "ExecReload", "touch /etc/nginx/sites-available/health-v1"),
}


@pytest.mark.parametrize(("unit", "line", "first"), WAYS.values(), ids=WAYS)
def test_a_unit_that_fails_shows_the_end_of_its_journal(mended, driver, unit, line, first):
    mended.shell(f"{first}; {BREAK.format(unit=unit, line=line, says=SAYS)}")
    outcome = driver.apply()
    assert SAYS in outcome.faults[0]["what"], outcome.faults
    mended.shell(MEND.format(unit=unit))
    assert not driver.apply().faults
