"""Certificates and bans, seen from outside."""

import re
import ssl
import subprocess


def _serial(world):
    found = world.running
    pem = subprocess.run(
        ["openssl", "s_client", "-connect", f"{found.edge.address}:443", "-servername", found.domain],
        input="",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    certificate = re.search(r"-----BEGIN.*?-----END CERTIFICATE-----", pem, re.DOTALL)[0]
    assert ssl.PEM_cert_to_DER_cert(certificate)
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-serial"], input=certificate, capture_output=True, text=True, check=True
    )
    return shown.stdout.strip()


def test_a_renewed_certificate_is_served_without_anybody_reloading(broken):
    before = _serial(broken)
    broken.shell(
        "systemctl cat certbot.timer >/dev/null && certbot renew --force-renewal --no-random-sleep-on-renew -q"
    )
    after = _serial(broken)
    assert after != before
    assert broken.curl().returncode == 0
    assert broken.json("plan", "sandbox")[1]["steps"] == []


def test_a_guesser_of_passwords_is_banned_and_the_operator_never(broken):
    host, gateway = broken.running.hosts[0], broken.running.gateway
    guesser = gateway.rsplit(".", 1)[0] + ".99"
    bridge = subprocess.run(
        ["ip", "-o", "-4", "addr", "show", "to", gateway], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    subprocess.run(["ip", "addr", "add", f"{guesser}/24", "dev", bridge], check=True)
    try:
        for _ in range(8):
            for source in (guesser, gateway):
                _guess(host.address, source)
        broken.shell(
            "for i in $(seq 50); do fail2ban-client status sshd | grep -q "
            + guesser
            + " && exit; sleep 0.2; done; false"
        )
        assert not _answers(host.address, guesser), "a banned address still gets an answer"
        assert _answers(host.address, gateway), "the operator was banned"
    finally:
        subprocess.run(["ip", "addr", "del", f"{guesser}/24", "dev", bridge], check=True)


def _guess(address, source):
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    subprocess.run(
        [
            "ssh",
            "-F",
            "none",
            "-b",
            source,
            "-i",
            "/dev/null",
            *options,
            "-o",
            "ConnectTimeout=3",
            f"root@{address}",
            "true",
        ],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def _answers(address, source):
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "3", "--interface", source, f"telnet://{address}:22"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return b"SSH-" in done.stdout
