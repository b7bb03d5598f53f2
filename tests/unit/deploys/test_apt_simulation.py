"""What apt says that it would do is read as it says it, and judged."""

from deploys.apt_simulation import Installed, Simulation, half_installed_conflict, install_conflicts, read_simulation

DEBIAN = "Debian:13.8/stable, Debian-Security:13/stable-security"
SAID = f"""Inst redis-tools (5:8.0.2-3+deb13u3 {DEBIAN} [amd64])
Inst libcurl4t64 [8.14.1-1] (8.14.1-2 Debian:13.8/stable [amd64]) [curl:amd64 ]
Inst logrotate [3.22.0-1] (99.0 localhost [all])
Inst nginx (1.29 nginx:stable [amd64]) []
Inst g++ (1.0 [all])
Remv iptables-persistent [1.0] [ufw:amd64 ]
Down libx
From logrotate file:/srv/repo ./
From nginx https://packages.example.net/debian trixie/nginx
Hold redis-tools"""


def _things(simulation, *names):
    return {one.thing: one for one in install_conflicts(simulation, names)}


def test_a_simulation_is_read_with_sources_where_they_are_not_the_distributions():
    simulation = read_simulation(SAID.splitlines())
    assert simulation.installed == (
        Installed("redis-tools", "5:8.0.2-3+deb13u3"),
        Installed("libcurl4t64", "8.14.1-2", "8.14.1-1"),
        Installed("logrotate", "99.0", "3.22.0-1", "file:/srv/repo ./ (localhost)"),
        Installed("nginx", "1.29", "", "https://packages.example.net/debian trixie/nginx (nginx:stable)"),
        Installed("g++", "1.0", "", "another source (no archive)"),
    )
    assert (simulation.removed, simulation.downgraded) == (("iptables-persistent",), ("libx",))
    assert simulation.held_back == ("redis-tools",)
    assert simulation.described("nginx") == "1.29 from https://packages.example.net/debian trixie/nginx (nginx:stable)"
    assert (simulation.version("nginx"), simulation.version("none")) == ("1.29", "")


def test_what_is_brought_is_told_by_name_and_what_is_upgraded_or_comes_from_elsewhere_with_more():
    new, upgraded, away = Installed("a", "1"), Installed("b", "2", "1"), Installed("c", "3", "", "http://x (y)")
    assert list(map(str, (new, upgraded, away))) == ["a", "b 1 → 2", "c 3 from http://x (y)"]


def test_removals_holds_and_replaced_packages_are_refused_and_the_distributions_own_upgrades_are_not():
    refused = _things(read_simulation(SAID.splitlines()), "ufw")
    assert refused.keys() == {"package iptables-persistent", "package redis-tools", "package logrotate"}
    assert "apt-mark unhold redis-tools" in refused["package redis-tools"].way_out
    assert all("To install ufw, apt would have to" in one.consequence for one in refused.values())
    assert not any(one.adoptable for one in refused.values())


def test_going_back_to_a_lower_version_is_refused():
    simulation = Simulation(installed=(Installed("libx", "1", "2"),), downgraded=("libx",))
    assert _things(simulation, "x").keys() == {"package libx"}


def test_where_apt_cannot_tell_the_versions_are_known_and_a_hold_that_it_names_is_told():
    said = """Cand redis-server 5:8
Said The following packages have unmet dependencies:
Said  redis-server : Depends: redis-tools (= 5:8) but it is not going to be installed
Hold redis-tools
Hold redis
Hold vim"""
    simulation = read_simulation(said.splitlines())
    assert simulation.installed == ()
    assert simulation.version("redis-server") == simulation.described("redis-server") == "5:8"
    assert _things(simulation, "redis-server").keys() == {"package redis-tools"}


def test_on_a_host_without_lists_nothing_is_known_and_nothing_refused():
    simulation = read_simulation(["Said E: Unable to locate package nginx"])
    assert (simulation.version("nginx"), _things(simulation, "nginx")) == ("", {})


def test_what_was_left_in_halves_is_told_in_dpkgs_words_with_a_way_out_that_removes_nothing_unasked():
    described = half_installed_conflict("vendor-agent", "unpacked").fault("host1")
    assert "It is unpacked" in described.what
    assert "dpkg --configure vendor-agent" in described.hint
