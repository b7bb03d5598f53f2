"""When a host gets a key or a certificate, what a plan says of it, and what the scripts leave when they fail."""

import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from pyinfra.context import ctx_host

from deploys.credentials.authority import authorities, p256_key
from deploys.facts.key_pair import KeyPair, KeyPairState
from deploys.facts.path import Path, PathState
from deploys.faults import Refused
from deploys.operations import key_pairs
from deploys.operations.forecast import forecast_of
from deploys.operations.key_pairs import host_certificate, next_action, private_key, refuse_lost_authority
from deploys.pki.checks import checks
from deploys.secret import Secret
from deploys.tls import AUTHORITY, DIRECTORY, HostIdentity, KeyFiles, certificate_checks
from tests.unit.asked import Host, asked
from tests.unit.deploys.test_authority import DB, KEY, NOW, ca, issued, public, trusted

RIGHTS = {"key_rights": "0640 root:postgres", "certificate_rights": "0644 root:root"}
GOOD = KeyPair(public_key=public(KEY), certificate=issued(), is_alone=True, **RIGHTS)
YEAR = 365
OTHER = ec.generate_private_key(ec.SECP256R1())


def due(state=GOOD, identity=DB, key=None, days=0):
    return next_action(state, identity, authorities(key or ca(1)), NOW + timedelta(days=days))


def test_a_good_certificate_needs_nothing():
    assert due() == ("", "")


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (YEAR - 60.1, ("", "")),
        (YEAR - 59.9, ("renew", "it ends on 2031-01-01")),
        (YEAR - 1, ("renew", "it ends on 2031-01-01")),
        (YEAR + 1, ("renew", "it ended on 2031-01-01")),
        (-1, ("renew", "it begins on 2030-01-01")),
    ],
)
def test_it_is_renewed_from_sixty_days_before_its_end_for_a_reason_that_no_later_look_changes(days, expected):
    assert due(days=days) == expected


@pytest.mark.parametrize(
    ("changed", "action", "why"),
    [
        ({"certificate": "", "certificate_rights": "", "is_alone": False}, "create", "there is none"),
        ({"certificate": "", "is_alone": False}, "renew", "no certificate"),
        ({"is_alone": False}, "renew", "something else is in its file"),
        ({"public_key": public(OTHER)}, "renew", "of another key"),
        ({"public_key": "", "key_rights": ""}, "renew", "of another key"),
        ({"certificate": issued(number=2)}, "renew", "not of our authority"),
        ({"certificate": issued(HostIdentity.of("db1", []))}, "renew", "it is for db1"),
        ({"certificate": issued(HostIdentity.of("db2", [*DB.names, *DB.addresses]))}, "renew", "it is for db2, db1"),
        ({"certificate_rights": "0600 root:root"}, "update", "mode"),
        ({"certificate_rights": "0644 postgres:root"}, "update", "owner"),
    ],
)
def test_what_is_wrong_says_what_is_done(changed, action, why):
    done, reason = due(replace(GOOD, **changed))
    assert done == action
    assert why in reason


@pytest.mark.parametrize(
    "places",
    [
        ["10.20.0.21", *DB.addresses[1:], *DB.names],
        [*DB.addresses, *DB.names, "10.9.9.9"],
        [*DB.addresses[1:], *DB.names],
        [*DB.addresses, "db1.example.org"],
    ],
    ids=["another", "one more", "one less", "another name"],
)
def test_another_address_in_the_inventory_makes_another_certificate(places):
    assert due(identity=HostIdentity.of("db1", places)) == ("renew", f"it is for {DB}")


def test_one_of_another_form_is_replaced():
    """Signed by our authority and for the right names, but good for the server's end alone."""
    authority = authorities(ca(1))[0]
    builder = x509.CertificateBuilder(
        issuer_name=authority.certificate.subject,
        subject_name=x509.load_pem_x509_certificate(GOOD.certificate.encode()).subject,
        public_key=KEY.public_key(),
        serial_number=2,
        not_valid_before=NOW,
        not_valid_after=NOW + timedelta(days=YEAR),
    )
    for extension, critical in authority.extensions(DB, KEY.public_key()):
        if not isinstance(extension, x509.ExtendedKeyUsage):
            builder = builder.add_extension(extension, critical)
    text = builder.sign(authority._key, SHA256()).public_bytes(Encoding.PEM).decode()
    assert due(replace(GOOD, certificate=text)) == ("renew", "it is not of the form that we give")


def test_in_a_rotation_the_new_key_signs_only_once_every_host_trusts_it_and_then_all_at_once():
    assert due(key=ca(1, 2)) == ("", ""), "staged: hosts are told of the new one, and nothing else"
    assert due(key=ca(2, 1)) == ("renew", "the authority has a new key")
    new = replace(GOOD, certificate=issued(number=2))
    assert due(new, key=ca(2, 1)) == due(new, key=ca(2)) == ("", "")
    assert due(key=ca(2)) == ("renew", "it is not of our authority")


FILES = KeyFiles("postgres")


def _certificate(state, key=None):
    arguments = (FILES.certificate, FILES.key, DB, key or ca(1))
    return asked(host_certificate, *arguments, facts={KeyPairState: state})


def _now(monkeypatch, days):
    class Clock:
        @staticmethod
        def now(zone):
            return (NOW + timedelta(days=days)).astimezone(zone)

    monkeypatch.setattr(key_pairs, "datetime", Clock)


def test_a_plan_says_the_same_of_a_renewal_whenever_it_is_looked_at(monkeypatch):
    seen = []
    for days in (310, 311.5):
        _now(monkeypatch, days)
        seen.append(_certificate(GOOD))
    [first], [second] = (one.changes for one in seen)
    assert first == second
    assert (first.action, first.why) == ("renew", "it ends on 2031-01-01")
    assert (first.was, first.becomes) == (f"{DB}, until 2031-01-01", f"{DB}, for a year")
    signed = [one.commands[0].connector_arguments["_stdin"] for one in seen]
    assert signed[0] != signed[1], "what is sent is new each time"
    assert all(x509.load_pem_x509_certificate(one.encode()).public_key() == KEY.public_key() for one in signed)


def test_it_is_the_active_key_that_signs(monkeypatch):
    _now(monkeypatch, 0)
    [command] = _certificate(GOOD, ca(2, 1)).commands
    signed = x509.load_pem_x509_certificate(command.connector_arguments["_stdin"].encode())
    assert [authority.signed(signed) for authority in authorities(ca(2, 1))] == [True, False]


def test_what_becomes_due_while_a_plan_is_carried_out_is_left_to_the_next(monkeypatch):
    """And what the plan named is done, although a certificate meanwhile lasts long enough."""
    for planned, executed, count in ((YEAR - 61, YEAR - 59, 0), (YEAR - 59, YEAR - 61, 1)):
        host = Host({KeyPairState: GOOD})
        seen = []
        for executing, days in ((False, planned), (True, executed)):
            _now(monkeypatch, days)
            host.state.is_executing = executing
            ctx_host.set(host)
            with forecast_of(host).collecting() as changes:
                commands = list(host_certificate._inner(FILES.certificate, FILES.key, DB, ca(1)))
            ctx_host.reset()
            seen.append((len(commands), changes))
        assert seen[0] == seen[1] == (count, seen[0][1])
        assert len(seen[0][1]) == count


def test_a_plan_of_a_host_without_a_key_names_both_and_signs_nothing(monkeypatch):
    _now(monkeypatch, 0)
    made = asked(private_key, FILES.key, FILES.certificate, "postgres", facts={KeyPairState: KeyPair()})
    assert [(one.kind, one.action, one.target) for one in made.changes] == [("key", "create", FILES.key)]
    found = _certificate(KeyPair())
    assert [(one.action, one.was, one.becomes) for one in found.changes] == [("create", "", f"{DB}, for a year")]
    assert found.commands[0].connector_arguments["_stdin"] == ""


def test_a_key_that_is_there_stays_and_its_rights_are_mended():
    def made(**changed):
        state = replace(GOOD, **changed)
        return asked(private_key, FILES.key, FILES.certificate, "postgres", facts={KeyPairState: state})

    assert made().commands == []
    opened = made(key_rights="0644 root:root")
    assert [one.action for one in opened.changes] == ["update"]
    assert [str(one).split()[0] for one in opened.commands] == ["chown", "chmod"]
    [replaced] = made(public_key="").changes
    assert (replaced.action, replaced.why) == ("replace", "it is no P-256 key")


def test_no_authority_is_made_up_for_hosts_that_trust_one():
    class Lost:
        def missing(self, secrets):
            return secrets

    there = Path("regular file", "0644", "root", "root", "")

    def refused(secret, found):
        return asked(refuse_lost_authority, AUTHORITY, secret, facts={PathState: found}).commands

    lost = Secret("ca_key", 32, backend=Lost())
    with pytest.raises(Refused, match="secrets restore"):
        refused(lost, there)
    assert refused(lost, None) == []


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in the host's place, where nobody changes owners."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/chown").write_text("#!/bin/sh\n")
    (tmp_path / "bin/chown").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    (tmp_path / "tls").mkdir()
    return tmp_path / "tls"


def run(script, *arguments, stdin=""):
    argv = ["sh", "-c", script, "it", *map(str, arguments)]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


def state(folder):
    done = run(KeyPairState().command(str(folder / "host.key"), str(folder / "host.pem")))
    return KeyPairState().process(done.stdout.splitlines())


def test_a_key_and_its_certificate_are_made_and_seen_as_they_are(folder):
    assert state(folder) == KeyPair()
    assert run(key_pairs._MAKE_KEY, folder / "host.key", "postgres").returncode == 0
    assert (folder / "host.key").stat().st_mode & 0o777 == 0o640
    found = state(folder)
    assert p256_key(found.public_key)
    certificate = authorities(ca(1))[0].issue(DB, found.public_key, NOW)
    installed = run(key_pairs._INSTALL, folder / "host.pem", folder / "host.key", stdin=certificate)
    assert installed.returncode == 0, installed.stderr
    found = state(folder)
    assert (found.certificate, found.is_alone) == (certificate, True)
    assert (found.key_rights[:4], found.certificate_rights[:4]) == ("0640", "0644")
    assert sorted(path.name for path in folder.iterdir()) == ["host.key", "host.pem"]
    assert next_action(replace(found, **RIGHTS), DB, authorities(ca(1)), NOW) == ("", "")


@pytest.mark.parametrize("sent", [issued(), issued()[:300], "", "nonsense\n"], ids=["another's", "half", "none", "no"])
def test_what_is_no_certificate_of_the_key_never_gets_to_its_place(folder, sent):
    run(key_pairs._MAKE_KEY, folder / "host.key", "postgres")
    (folder / "host.pem").write_text("the one before\n")
    done = run(key_pairs._INSTALL, folder / "host.pem", folder / "host.key", stdin=sent)
    assert done.returncode != 0
    assert "no certificate of" in done.stderr
    assert (folder / "host.pem").read_text() == "the one before\n"
    assert sorted(path.name for path in folder.iterdir()) == ["host.key", "host.pem"]


def test_other_things_in_their_places_are_told_apart(folder):
    key, certificate = folder / "host.key", folder / "host.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    certificate.write_text(f"{issued()}{issued()}")
    found = state(folder)
    assert p256_key(found.public_key) is None
    assert (found.certificate, found.is_alone) == (issued_once(certificate), False)
    argv = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-aes256"]
    subprocess.run([*argv, "-pass", "pass:secret", "-out", key], check=True, capture_output=True)
    assert state(folder).public_key == ""
    assert state(folder).key_rights
    certificate.write_text("nonsense")
    assert (state(folder).certificate, bool(state(folder).certificate_rights)) == ("", True)


def issued_once(path):
    end = "-----END CERTIFICATE-----\n"
    return path.read_text().partition(end)[0] + end


@pytest.fixture
def claimed(folder):
    """Return a function that writes what a host has, and tells which claims do not hold."""
    run(key_pairs._MAKE_KEY, folder / "postgres.key", "postgres")
    key = run(f"openssl pkey -pubout -in {folder}/postgres.key").stdout
    owners = run(f"stat -c '%a %U:%G' {folder}/postgres.key").stdout.strip()
    now = datetime.now(timezone.utc)

    def claimed(number=1, identity=DB, public_key=key, age=0, roots=(1,)):
        (folder / "ca.pem").write_text(trusted(ca(*roots)))
        text = authorities(ca(number))[0].issue(identity, public_key, now - timedelta(days=age))
        (folder / "postgres.pem").write_text(text)
        claims = [*certificate_checks(FILES, DB), *checks(trusted(ca(1)))]
        commands = [check.command for check in claims]
        here = [one.replace(DIRECTORY, str(folder)).replace("640 root:postgres", owners) for one in commands]
        return [number for number, command in enumerate(here) if run(command).returncode]

    return claimed


def test_claims_hold_of_a_good_certificate_and_each_fails_for_what_it_is_about(claimed):
    signed, paired, lasts, trusts = range(4)
    assert claimed() == []
    assert claimed(age=YEAR - 31) == []
    assert claimed(age=YEAR - 29) == [lasts]
    assert claimed(age=YEAR + 1) == [signed, lasts]
    assert claimed(number=2) == [signed]
    assert claimed(public_key=public(OTHER)) == [paired]
    assert claimed(number=2, roots=(1, 2)) == [trusts], "an authority more than there is"
    assert claimed(number=2, roots=(2,)) == [trusts]
    for places in (DB.addresses[1:], DB.addresses[:1], ()):
        assert claimed(identity=HostIdentity.of("db1", [*places, "db1.example.com"])) == [signed]
    assert claimed(identity=HostIdentity.of("db1", DB.addresses)) == [signed]
    assert claimed(identity=HostIdentity.of("db2", [*DB.names, *DB.addresses])) == [signed]
