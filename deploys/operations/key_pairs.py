"""A host's key is made there and stays there; our authority, on the operator's side, signs its public half."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone

from cryptography import x509
from cryptography.x509.oid import NameOID
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.component import Secret
from deploys.credentials.authority import Authority, authorities, p256_key
from deploys.facts.key_pair import KeyPair, KeyPairState
from deploys.facts.path import PathState
from deploys.faults import Fault, Refused
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.tls import RENEWED_AHEAD, HostIdentity

CERTIFICATE_RIGHTS = "0644 root:root"

# $1 path, $2 group. The key is whole, and readable for whom it is meant, before it has its name.
_MAKE_KEY = """set -eu; umask 077
dir=$(mktemp -d -- "$(dirname -- "$1")/.healthv1.XXXXXXXX"); trap 'rm -rf -- "$dir"' EXIT; trap 'exit 1' HUP INT TERM
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -pkeyopt ec_param_enc:named_curve -out "$dir/key" \\
  2>/dev/null
chown -- "root:$2" "$dir/key"; chmod 0640 "$dir/key"; sync -- "$dir/key"; mv -fT -- "$dir/key" "$1\""""

# $1 path, $2 the key's. A certificate that broke off on its way, or of another key, is not put there.
_INSTALL = """set -eu; umask 077
dir=$(mktemp -d -- "$(dirname -- "$1")/.healthv1.XXXXXXXX"); trap 'rm -rf -- "$dir"' EXIT; trap 'exit 1' HUP INT TERM
cat > "$dir/new"
[ "$(openssl x509 -in "$dir/new" -noout -pubkey)" = "$(openssl pkey -passin pass: -in "$2" -pubout)" ] ||
  { echo "$1: what arrived is no certificate of $2" >&2; exit 1; }
chmod 0644 "$dir/new"; sync -- "$dir/new"; mv -fT -- "$dir/new" "$1\""""


@operation()
def refuse_lost_authority(path: str, ca_key: Secret) -> Commands:
    """Refuse to make up an authority for a host that trusts one of ours."""
    if ca_key.is_missing() and host.get_fact(PathState, path=path):
        what = f"{path} is of an authority whose key the backend does not hold: no host would trust a new one's."
        hint = "bring it back from escrow: healthv1 secrets restore ENV FILE --identity KEY"
        raise Refused(Fault(f"{host.name}, {ca_key}", what, f"{hint}; if nobody has it, remove {path} on every host"))
    host.noop("the backend holds the authority's key, or nobody knows one")
    yield from ()


@operation()
def private_key(path: str, certificate: str, group: str) -> Commands:
    """Have a P-256 key that only root and `group` may read. One that is there stays: it is never sent anywhere.

    + certificate: the path of the certificate for it.
    """
    state = host.get_fact(KeyPairState, key=path, certificate=certificate)
    plan, rights = forecast(), f"0640 root:{group}"
    changes = plan.reconcile(f"key {path}", list(_key_changes(path, state, rights)))
    if not changes:
        host.noop(f"{path} is as it should be")
        return
    plan.announce(changes[0], pending=p256_key(state.public_key) is None)
    if p256_key(state.public_key) is None:
        yield StringCommand("sh", "-c", QuoteString(_MAKE_KEY), "key", QuoteString(path), QuoteString(group))
    else:
        yield StringCommand("chown", "--", QuoteString(f"root:{group}"), QuoteString(path))
        yield StringCommand("chmod", "0640", "--", QuoteString(path))


def _key_changes(path: str, state: KeyPair, rights: str) -> Iterator[Change]:
    if not state.key_rights:
        yield Change("key", path, "create", becomes=f"P-256, {rights}")
    elif p256_key(state.public_key) is None:
        yield Change("key", path, "replace", "it is no P-256 key", was=state.key_rights, becomes=f"P-256, {rights}")
    elif state.key_rights != rights:
        yield Change("key", path, "update", "who may read it", was=state.key_rights, becomes=rights)


@operation()
def host_certificate(path: str, key: str, identity: HostIdentity, ca_key: Secret) -> Commands:
    """Have a certificate for the host's key and names, signed by our authority, that lasts for some time."""
    state = host.get_fact(KeyPairState, key=key, certificate=path)
    plan, signers, now = forecast(), authorities(ca_key), datetime.now(timezone.utc)
    # While a plan is read and carried out, nothing becomes due that it did not name.
    planned_at = plan.recall(f"when {path} was looked at", lambda: now)
    action, why = next_action(state, identity, signers, planned_at)
    was = _describe(state.certificate)
    becomes = CERTIFICATE_RIGHTS if action == "update" else f"{identity}, for a year"
    change = Change("certificate", path, action, why, was=state.certificate_rights if action == "update" else was)
    changes = plan.reconcile(f"certificate {path}", [replace(change, becomes=becomes)] if action else [])
    if not changes:
        host.noop(f"{path} is as it should be")
        return
    for change in changes:
        plan.announce(change)
    if all(change.action == "update" for change in changes):
        yield StringCommand("chown", "--", "root:root", QuoteString(path))
        yield StringCommand("chmod", "0644", "--", QuoteString(path))
        return
    # Without a key, which an earlier operation makes, this is as far as a plan comes.
    signed = signers[0].issue(identity, state.public_key, now) if p256_key(state.public_key) else ""
    yield StringCommand(
        "sh", "-c", QuoteString(_INSTALL), "install", QuoteString(path), QuoteString(key), _stdin=signed
    )


def next_action(state: KeyPair, identity: HostIdentity, signers: Sequence[Authority], now: datetime) -> tuple[str, str]:
    """Return what is to be done, "" for nothing, and why.

    + signers: the accepted authorities, the one that signs first.
    """
    if not state.certificate_rights:
        return "create", "there is none"
    reason = _renewal_reason(state, identity, signers, now)
    if reason:
        return "renew", reason
    return ("", "") if state.certificate_rights == CERTIFICATE_RIGHTS else ("update", "mode, owner")


def _renewal_reason(state: KeyPair, identity: HostIdentity, signers: Sequence[Authority], now: datetime) -> str:
    certificate = _parsed(state.certificate)
    if certificate is None or not state.is_alone:
        return "the file is no certificate" if certificate is None else "something else is in its file"
    if not signers[0].signed(certificate):
        former = any(signer.signed(certificate) for signer in signers[1:])
        return "the authority has a new key" if former else "it is not of our authority"
    key = p256_key(state.public_key)
    if key is None or certificate.public_key() != key:
        return "it is of another key"
    if _names(certificate) != str(identity):
        return f"it is for {_names(certificate)}"
    given = [(extension.value, extension.critical) for extension in certificate.extensions]
    if given != list(signers[0].extensions(identity, key)):
        return "it is not of the form that we give"
    return _time_reason(certificate, now)


def _time_reason(certificate: x509.Certificate, now: datetime) -> str:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begins > now:
        return f"it begins on {begins:%Y-%m-%d}"
    # Days, which are the same whenever a plan is looked at again.
    if ends - now < RENEWED_AHEAD:
        return f"it {'ends' if ends > now else 'ended'} on {ends:%Y-%m-%d}"
    return ""


def _parsed(text: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        return None


def _describe(text: str) -> str:
    """Return who a certificate is for, and until when; empty for what is none."""
    certificate = _parsed(text)
    return f"{_names(certificate)}, until {certificate.not_valid_after_utc:%Y-%m-%d}" if certificate else ""


def _names(certificate: x509.Certificate) -> str:
    """Return all names of a certificate, as `str(HostIdentity)` has them. It may be anybody's."""
    names = []
    with suppress(ValueError):
        names += [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    with suppress(ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += alternatives.get_values_for_type(x509.DNSName)
        names += [str(address) for address in alternatives.get_values_for_type(x509.IPAddress)]
    return ", ".join(dict.fromkeys(names)) or "no name"
