"""Logs in to a host over SSH: with a signed certificate, an agent's key or a key file, and with keepalives."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paramiko import AuthenticationException, PasswordRequiredException, PKey, SSHException
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector

from deploys.rollout import Rollout
from healthv1.errors import HostError
from healthv1.hosts.keys import agent_key, passphrase_fault
from healthv1.hosts.ssh_line import SshLine

if TYPE_CHECKING:  # what speaks to Vault is imported after sockets were made cooperative, and only by who uses it
    from healthv1.secrets.vault.ssh_certificates import Credential

KEEPALIVE = 15  # seconds


class SignedIn(SSHConnector):
    handles_execution = True

    def __init__(self, state: Any, host: Host) -> None:
        super().__init__(state, host)
        self.credential: Credential | None = None
        """The signed key that opened, or is to open, the connection."""
        self.line: SshLine

    def _connect(self) -> None:
        self._sign_in()
        assert self.client is not None
        transport = self.client.get_transport()
        assert transport is not None
        transport.set_keepalive(KEEPALIVE)
        self.line = SshLine(self.host.name, transport, _rollout(self.host).silence)
        # Behind a jump host the transport's socket is a channel, which has no such option.
        if hasattr(transport.sock, "setsockopt"):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def own_address(self) -> str:
        """Our own address on the connection; empty behind a jump host, and while there is none."""
        transport = self.client.get_transport() if self.client else None
        return str(transport.sock.getsockname()[0]) if transport and hasattr(transport.sock, "getsockname") else ""

    def _sign_in(self) -> None:
        """Log in with a signed key where group_data names a signer; if the host refuses it, with the ordinary key."""
        self.credential = credential_for(self.host)
        if self.credential is None:
            self._sign_in_with_ordinary_key()
            return
        try:
            super()._connect()
        except ConnectError as error:
            if not isinstance(error.__context__, AuthenticationException):
                raise
            self._fall_back_to_ordinary_key()

    def _sign_in_with_ordinary_key(self) -> None:
        try:
            super()._connect()
        except ConnectError as error:
            if isinstance(error.__context__, PasswordRequiredException):  # of ~/.ssh/config, or one that lies beside it
                key_files = getattr(self.client, "_ssh_config", {}).get("key_filename") or ()
                raise HostError(
                    passphrase_fault(self.host.name, *(Path(key_file).expanduser() for key_file in key_files))
                ) from None
            raise

    def _fall_back_to_ordinary_key(self) -> None:
        refused, self.credential = self.credential, None
        if self.client is not None:
            self.client.close()
        try:
            super()._connect()
        except (ConnectError, SSHException) as error:
            raise ConnectError(f"{str(error).rstrip('.')}; Authentication with {refused} had failed before") from None
        what = f"{self.host.name}: sshd refused {refused}, so the ordinary key was used."
        logging.getLogger("healthv1").warning("%s Hint: apply makes sshd trust who signs it; compare clocks", what)

    def make_paramiko_kwargs(self) -> dict[str, Any]:
        patience = _rollout(self.host).connect_timeout
        return {**self._key_arguments(), "timeout": patience, "banner_timeout": patience}

    def _key_arguments(self) -> dict[str, Any]:
        key = self.credential.key if self.credential else self._agent_key()
        if key is None:
            return super().make_paramiko_kwargs()
        data = self.data
        # The ordinary key need not even exist.
        self.data = {**data, "ssh_key": None, "ssh_password": None, "ssh_allow_agent": False}  # type: ignore[typeddict-item]
        try:
            arguments = super().make_paramiko_kwargs()
        finally:
            self.data = data
        return {**arguments, "pkey": key, "look_for_keys": False}

    def _agent_key(self) -> PKey | None:
        """Return the SSH agent's key, where the ordinary key has a passphrase that is not configured."""
        path = self.data["ssh_key"]
        if not path or self.data["ssh_key_password"]:
            return None
        return agent_key(self.host.name, Path(str(self.state.cwd), Path(path).expanduser()))


def credential_for(host: Host) -> Credential | None:
    """Return the key that was signed for the account that we sign in as, where group_data says who signs."""
    sign = getattr(getattr(host.data.get("sshd"), "certificates", None), "credential", None)
    user = host.data.get("ssh_user")
    return sign(str(user)) if sign and user else None


def _rollout(host: Host) -> Rollout:
    return host.data.get("rollout") or Rollout()
