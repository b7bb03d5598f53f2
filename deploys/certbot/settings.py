"""Which authority the certificate comes from, and how early it is renewed."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from deploys.component import Settings

PACKAGES = ("certbot",)
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


def _is_pem(text: str) -> str:
    if "-----BEGIN CERTIFICATE-----" not in text or "PRIVATE KEY" in text:
        raise ValueError("give the PEM text of a certificate, as in Path(…).read_text()")
    return text if text.endswith("\n") else f"{text}\n"


Pem = Annotated[str, AfterValidator(_is_pem)]


class Certbot(Settings):
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    """Told to the authority when the account is made; it may write there when something is wrong with a certificate."""
    directory_url: Annotated[str, Field(pattern=r"^https://[^\s'\"]+$")] = LETS_ENCRYPT
    """Its ACME directory."""
    directory_ca: Pem | None = None
    """The text of the certificate that vouches for the directory's own HTTPS; None for a public one."""
    trust: str | None = None
    """A file on the operator's machine with the root that visitors trust; None for the public ones."""
    ahead: Annotated[int, Field(ge=1, le=60)] = 21
    """Days before its end when an apply renews what the timer did not, or a third of its life if that is less."""
