"""A host that falls short is refused with everything that it lacks."""

import os
import re
import shutil
import subprocess
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from deploys.facts.machine import Machine, MachineState
from deploys.preflight.assessment import assess, clock_faults
from deploys.preflight.checks import checks
from deploys.preflight.settings import SUPPORTED, Preflight
from tests.unit.command import REPOSITORY, healthv1

GIB = 2**30
GUIDES = Machine("ubuntu", "22.04", "x86_64", 4, 8 * GIB, 107 * 10**9, 90 * 10**9, "3.10", rotational=False)


def _faults(machine, **settings):
    return [str(fault) for fault in assess("db1", machine, Preflight(**settings))]


@pytest.mark.parametrize("system", SUPPORTED)
def test_the_guides_minimum_passes_on_every_supported_system(system):
    assert _faults(replace(GUIDES, os=system[0], release=system[1])) == []


def test_a_machine_sold_as_8_gb_passes_though_the_kernel_keeps_some():
    assert _faults(replace(GUIDES, memory=int(7.3 * GIB))) == []
    assert "GiB of memory" in _faults(replace(GUIDES, memory=int(7.1 * GIB)))[0]


def test_everything_that_falls_short_is_named_at_once_with_the_setting_that_relaxes_it():
    small = replace(GUIDES, cores=2, memory=GIB, disk=10**10, free=10**9)
    faults = _faults(small)
    assert len(faults) == 4
    for setting, fault in zip(("cores", "memory", "disk", "free"), faults, strict=True):
        assert fault.startswith("db1: ")
        assert f"preflight.minimum_{setting}" in fault
    relaxed = {"minimum_cores": 1, "minimum_memory": 1, "minimum_disk": 0, "minimum_free": 0.5}
    assert _faults(small, **relaxed) == []


def test_no_setting_relaxes_the_operating_system_or_the_architecture():
    faults = _faults(replace(GUIDES, os="centos", release="7", architecture="riscv64"))
    assert "centos 7 is not supported" in faults[0]
    assert all(name in faults[0] for name in SUPPORTED.values())
    assert "riscv64 is not supported" in faults[1]


def test_a_machines_measurements_are_read_as_it_prints_them():
    said = """os=debian
release=13
architecture=x86_64
cores=2
memory=2.51954e+10
disk=270000000000
free=90000000000
python=
rotational=1"""
    found = MachineState().process(said.splitlines())
    assert (found.memory, found.python, found.rotational) == (25195400000, "", True)
    assert found.ipv6, "those who do not tell are taken to have it"


@pytest.mark.parametrize(("told", "listens"), [("ipv6=0", False), ("ipv6=1", True)])
def test_nginx_opens_no_socket_that_the_kernel_does_not_have(tmp_path, told, listens):
    for name in ("inventories", "group_data"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    path = tmp_path / "inventories/recorded.py"
    path.write_text(path.read_text().replace("rotational=0", f"rotational=0\n{told}"))
    planned = healthv1("plan", "recorded", "--limit", "@fake/debian13", "--json", cwd=tmp_path).stdout
    assert ("listen 443 ssl" in planned, "listen [::]:443 ssl" in planned) == (True, listens)


def test_a_host_tells_whether_its_kernel_has_ipv6():
    said = subprocess.run(["sh", "-c", MachineState().command()], capture_output=True, text=True, check=True).stdout
    assert MachineState().process(said.splitlines()).ipv6 == Path("/proc/net/if_inet6").exists()


NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize("ahead", [0, 300, -300])
def test_a_clock_within_five_minutes_is_right(ahead):
    assert list(clock_faults("db1", replace(GUIDES, clock_offset=ahead), Preflight(), NOON, can_synchronize=True)) == []


@pytest.mark.parametrize(
    ("ahead", "there", "off"),
    [
        (5 * 86400, "2026-03-06 12:00:00", "5 days"),
        (-400 * 86400, "2025-01-25 12:00:00", "400 days"),
        (3 * 3600, "2026-03-01 15:00:00", "3 hours"),
        (-301, "2026-03-01 11:54:59", "5 minutes"),
    ],
)
def test_a_clock_that_is_off_is_refused_with_both_times_and_what_sets_it(ahead, there, off):
    off_by = replace(GUIDES, clock_offset=ahead)
    (fault,) = clock_faults("db1", off_by, Preflight(), NOON, can_synchronize=True)
    assert f"Its clock says {there} UTC, and that of this machine 2026-03-01 12:00:00" in fault.what
    assert fault.what.endswith(f"off by {off}.")
    assert fault.hint.endswith("date -u -s '2026-03-01 12:00:00' && timedatectl set-ntp true")
    (fault,) = clock_faults("db1", off_by, Preflight(), NOON, can_synchronize=False)
    assert "systemd-timesyncd" in fault.hint
    assert list(clock_faults("db1", off_by, Preflight(clock_tolerance=86400 * 500), NOON, can_synchronize=True)) == []


def test_a_hosts_clock_is_compared_with_ours_when_it_answers():
    said = subprocess.run(["sh", "-c", MachineState().command()], capture_output=True, text=True, check=True).stdout
    assert abs(MachineState().process(said.splitlines()).clock_offset) < 60
    late = re.sub(r"^now=.*$", f"now={int(time.time()) - 7200}", said, flags=re.MULTILINE)
    assert round(MachineState().process(late.splitlines()).clock_offset / 3600) == -2


@pytest.mark.parametrize(("package", "holds"), [("bash", False), ("of-a-vendor", True)])
def test_an_installation_that_was_cut_short_is_claimed_of_what_a_source_has_alone(tmp_path, package, holds):
    """What its owner installed by hand, and left in halves, is the owner's."""
    (claimed,) = (check for check in checks() if "cut short" in check.claim)
    (tmp_path / "dpkg-query").write_text(f"#!/bin/sh\necho 'iU |{package}|unpacked'\n")
    (tmp_path / "apt-cache").write_text(
        "#!/bin/sh\ncase $* in *bash) echo '        500 http://deb.example.net/ x';; esac\n"
        "echo '        100 /var/lib/dpkg/status'\n"
    )
    (tmp_path / "ls").write_text("#!/bin/sh\n")
    for program in tmp_path.iterdir():
        program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert (subprocess.run(["sh", "-c", claimed.command], env={"PATH": path}, check=False).returncode == 0) == holds
