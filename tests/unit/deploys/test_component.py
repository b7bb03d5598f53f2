import pytest

from deploys.component import Port, Secret, Settings, collecting_faults, template
from deploys.faults import Refused
from deploys.stack import Stack, Topology
from tests.unit.known import Known, value


class Example(Settings):
    port: Port = 5432
    max_connections: int = 100
    password: Secret = Secret("password", entropy=32)


def test_a_typo_is_refused_with_a_suggestion_and_the_place_to_edit():
    with pytest.raises(Refused) as refused:
        Example(max_conections=3)
    (fault,) = refused.value.faults
    assert "test_component.py:" in fault.where
    assert fault.what == "max_conections is not a setting."
    assert fault.hint == "did you mean max_connections?"


def test_all_faults_are_told_at_once():
    with pytest.raises(Refused) as refused:
        Example(port=70000, max_connections="many", nonsense=1)
    assert len(refused.value.faults) == 3
    with collecting_faults() as faults:
        Example(port=0)
        Stack(domain="not a domain")
    assert len(faults) == 2


def test_a_wrong_value_is_not_repeated_in_the_fault():
    with pytest.raises(Refused) as refused:
        Example(max_connections="hunter2-hunter2")
    assert "hunter2" not in str(refused.value)


def test_a_secret_shows_its_reference_and_gives_its_value_only_when_revealed():
    secret = Example().bind(Known()).password
    assert str(secret) == "vault:m/p#password"
    assert (
        value("password")
        not in f"{secret!r} {secret} {Example().bind(Known())!r} {Example().bind(Known()).model_dump()}"
    )
    assert secret.reveal() == value("password")


def test_a_template_refuses_to_print_a_reference(tmp_path, monkeypatch):
    import jinja2

    from deploys import component

    (tmp_path / "x").write_text("password={{ password }}\n")
    monkeypatch.setattr(component._templates, "loader", jinja2.FileSystemLoader(tmp_path))
    with pytest.raises(Refused):
        template("x", password=Secret("password"))()
    with pytest.raises(jinja2.UndefinedError):
        template("x")()


@pytest.mark.parametrize("domain", ["api.example.com", "a.b-c.example"])
def test_domains_are_taken(domain):
    assert Stack(domain=domain).domain == domain


@pytest.mark.parametrize("domain", ["", "localhost", "-a.example.com", "a..b", "a.example.com;", "A.example.com"])
def test_what_is_no_domain_is_refused(domain):
    with pytest.raises(Refused):
        Stack(domain=domain)


def test_the_same_port_cannot_have_two_instances():
    with pytest.raises(Refused):
        Stack(domain="a.example.com", instances=(8080, 8080))


def test_a_part_on_the_same_host_is_on_loopback_and_elsewhere_at_its_address():
    parts = {"database": ["10.0.0.1"], "api": ["10.0.0.2", "10.0.0.3"], "edge": ["10.0.0.2"]}
    seen = Topology.seen_from("10.0.0.2", parts)
    assert (seen.database, seen.api, seen.edge) == ("10.0.0.1", ("127.0.0.1", "10.0.0.3"), ("127.0.0.1",))
    assert seen.other_hosts == ("10.0.0.1", "10.0.0.3")
    alone = Topology.seen_from("10.0.0.1", {part: ["10.0.0.1"] for part in parts})
    assert (alone.database, alone.remote(alone.api), alone.other_hosts) == ("127.0.0.1", (), ())
