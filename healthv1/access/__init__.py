"""How people come in without a key or password of their own: what opens a door is made for one run, and ends."""

from healthv1.secrets.vault.database_logins import Leased
from healthv1.secrets.vault.ssh_certificates import Signed

__all__ = ["Leased", "Signed"]
