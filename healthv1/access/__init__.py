"""Access without a key or password of one's own: signed SSH certificates and leased logins, which expire."""

from healthv1.secrets.vault.database_logins import Leased
from healthv1.secrets.vault.ssh_certificates import Signed

__all__ = ["Leased", "Signed"]
