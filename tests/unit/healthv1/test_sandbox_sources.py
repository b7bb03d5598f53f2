"""A host's package sources are the machine's own, for another release."""

from __future__ import annotations

from pathlib import Path

import pytest

from healthv1.sandbox import sources


@pytest.fixture
def machine(tmp_path: Path):
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')

    def lines(suite: str) -> list[str]:
        return sources.lines(suite, tmp_path / "apt", tmp_path / "os-release")

    lines.path = tmp_path
    return lines


def test_sources_in_either_format_are_said_for_the_suite(machine):
    (machine.path / "apt/sources.list").write_text("# a comment\ndeb http://mirror.test/debian bookworm main\n")
    (machine.path / "apt/sources.list.d/debian.sources").write_text(
        "Types: deb\n# a comment\nURIs: http://security.test/debian-security\nSuites: bookworm-security\n"
        "Components: main\nSigned-By: /usr/share/keyrings/k.gpg\n"
    )
    assert machine("trixie") == [
        "deb http://mirror.test/debian trixie main",
        "deb [signed-by=/usr/share/keyrings/k.gpg] http://security.test/debian-security trixie-security main",
    ]


def test_what_others_publish_is_left_out(machine):
    (machine.path / "apt/sources.list").write_text(
        "deb http://other.test/apt nodistro main\n"
        "deb http://other.test/apt bookworm stable\n"
        "deb-src http://mirror.test/debian bookworm main\n"
        "deb [arch=amd64] http://mirror.test/debian bookworm-updates main contrib\n"
    )
    assert machine("bookworm") == ["deb [arch=amd64] http://mirror.test/debian bookworm-updates main contrib"]


def test_a_stanza_that_is_switched_off_is_left_out(machine):
    (machine.path / "apt/sources.list.d/off.sources").write_text(
        "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\nComponents: main\nEnabled: no\n"
    )
    assert machine("trixie") == []


def test_a_machine_of_another_distribution_has_no_opinion(machine):
    (machine.path / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    (machine.path / "apt/sources.list").write_text("deb http://mirror.test/ubuntu noble main\n")
    assert machine("trixie") == []


def test_only_how_mirrors_are_reached_is_carried_over(monkeypatch):
    dump = 'APT "";\nAcquire::http::Proxy "http://proxy.test:3128";\nAcquire::https "";\nDPkg::Hooks "x";\n'
    monkeypatch.setattr(sources, "run", lambda *_: dump)
    assert sources.options() == ['Acquire::http::Proxy "http://proxy.test:3128";']
