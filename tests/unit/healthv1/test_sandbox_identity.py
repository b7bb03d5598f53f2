"""Keys, certificates, and what makes a tree one certain host."""

from __future__ import annotations

import ssl
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from healthv1.sandbox import Host, Sandbox, certificates, identity
from healthv1.sandbox.addresses import Addresses
from healthv1.sandbox.keys import ssh_key, write_private
from healthv1.sandbox.reach import ssh_command


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setenv("HEALTHV1_STATE", str(tmp_path))
    found = Sandbox("unit")
    found.state.mkdir(parents=True)
    return found


def _packed(sandbox: Sandbox, name: str) -> dict[str, tuple[tarfile.TarInfo, str]]:
    sandbox.host(name).mkdir(parents=True, exist_ok=True)
    identity.pack(sandbox, Addresses(3), name, 1)
    with tarfile.open(sandbox.host(name) / "identity.tar") as archive:
        files = {member: archive.extractfile(member) for member in archive}
        return {member.name: (member, file.read().decode() if file else "") for member, file in files.items()}


def test_a_key_is_private_and_the_same_at_every_asking(tmp_path):
    public = ssh_key(tmp_path / "key")
    assert public.startswith("ssh-ed25519 ")
    assert ssh_key(tmp_path / "key") == public
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_private_file_is_private_even_where_a_public_one_was(tmp_path):
    (tmp_path / "token").write_text("old")
    write_private(tmp_path / "token", "new")
    assert (tmp_path / "token").read_text() == "new"
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_the_known_hosts_file_pins_both_addresses_to_the_key_the_host_gets(sandbox):
    packed = _packed(sandbox, "host1")
    identity.pin(sandbox, Addresses(3), ["host1"])
    addresses, key = sandbox.known_hosts.read_text().strip().split(" ", 1)
    assert addresses == f"{Addresses(3).host(1)},{Addresses(3).host6(1)}"
    assert packed["etc/ssh/ssh_host_ed25519_key.pub"][1].strip() == key


def test_a_host_resolves_its_own_name_and_has_its_own_addresses(sandbox):
    packed = _packed(sandbox, "host1")
    assert "127.0.1.1 host1\n" in packed["etc/hosts"][1]
    assert packed["etc/hosts"][1].endswith(f"\n{Addresses(3).gateway} s3.sandbox.test\n")
    network = packed["etc/systemd/network/10-host0.network"][1]
    assert f"Address={Addresses(3).host(1)}/24" in network
    assert f"Address={Addresses(3).host6(1)}/64" in network


def test_only_the_admin_can_read_who_may_log_in_and_only_root_the_host_key(sandbox):
    packed = _packed(sandbox, "host1")
    modes = {name: (member.mode, member.uid) for name, (member, _) in packed.items()}
    assert modes["home/admin/.ssh"] == (0o700, 1000)
    assert modes["home/admin/.ssh/authorized_keys"] == (0o600, 1000)
    assert modes["etc/ssh/ssh_host_ed25519_key"] == (0o600, 0)


def test_nameservers_on_this_machines_loopback_are_passed_over_for_those_behind_them(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "run/systemd/resolve").mkdir(parents=True)
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.53\noptions edns0\n")
    (tmp_path / "run/systemd/resolve/resolv.conf").write_text("nameserver 192.0.2.53\n")
    assert identity._nameservers(tmp_path) == "nameserver 192.0.2.53\n"


def test_a_certificate_is_made_out_to_the_addresses_and_names_and_vouched_for_by_the_authority(tmp_path):
    certificates.write(tmp_path, ["192.0.2.1", "2001:db8::1"], ("s3.example.org",))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    client = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    assert _shake_hands(client, server, "192.0.2.1")
    assert _shake_hands(client, server, "2001:db8::1")
    assert _shake_hands(client, server, "s3.example.org")
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(client, server, "192.0.2.2")


def _shake_hands(client_context: ssl.SSLContext, server_context: ssl.SSLContext, name: str) -> bool:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(back, there, server_hostname=name)
    server = server_context.wrap_bio(there, back, server_side=True)
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
                done.add(side)
    return done == {client, server}


def test_ssh_trusts_the_pinned_key_alone():
    host = Host("host1", "192.0.2.1", "2001:db8::1", "admin", "/state/key", "/state/known_hosts")
    argv = ssh_command(host, "id")
    assert argv[-2:] == ["admin@192.0.2.1", "id"]
    assert "StrictHostKeyChecking=yes" in argv
    assert "UserKnownHostsFile=/state/known_hosts" in argv
