"""Explains boto3's exceptions to users: which reference, which backend, which state, what to do next.

No explanation quotes what was sent or received: a value could be in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, which is no OSError
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    SSOError,
    TokenRetrievalError,
)

from healthv1.errors import Fault, SecretsError

RAISED = (ClientError, BotoCoreError, OSError, ValueError)
_EXPIRED = ("ExpiredTokenException", "ExpiredToken", "RequestExpired")
_UNKNOWN = ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch")
_ACTIONS = {
    "read": "secretsmanager:GetSecretValue",
    "create": "secretsmanager:CreateSecret",
    "update": "secretsmanager:PutSecretValue and secretsmanager:UpdateSecretVersionStage",
    "list": "secretsmanager:ListSecrets",
}
_LOG_IN = "log in: aws sso login or aws configure, or set AWS_PROFILE"


@dataclass(frozen=True)
class AwsPlace:
    """Where the secrets of one environment lie."""

    prefix: str
    region: str
    endpoint: str = ""
    profile: str = ""

    def __str__(self) -> str:
        return f"aws:{self.region}/{self.prefix}"

    @property
    def described(self) -> str:
        return f"{self} at {self.endpoint}" if self.endpoint else str(self)

    def id(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def arguments(self, name: str) -> str:
        """Name one secret to the `aws` command."""
        return f"--region {self.region} --secret-id {self.id(name)}"


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: Exception, place: AwsPlace, verb: str, name: str) -> SecretsError:
    """Say what `error` means for whoever did `verb`."""
    if isinstance(error, ClientError):
        return SecretsError(_refusal(error, place, verb, name))
    return SecretsError(Fault(place.described, *_state(error, place)))


def _refusal(error: ClientError, place: AwsPlace, verb: str, name: str) -> Fault:
    where, error_code = f"{place}#{name}" if name else place.described, code(error)
    if error_code.startswith("AccessDenied") or error_code == "403":  # the bare status, when the answer has no code
        what = f"Permission was denied: {_ACTIONS[verb]} on {place.id(name or '*')}."
        return Fault(where, what, "let the policy have it: docs/secrets.md shows the whole one")
    if error_code == "InvalidRequestException" and "delet" in str(error.response["Error"].get("Message", "")):
        undelete = f"aws secretsmanager restore-secret {place.arguments(name)}"
        return Fault(where, "It is lost: it is scheduled for deletion.", f"bring it back: {undelete}")
    if error_code in _EXPIRED:
        return Fault(place.described, "The credentials have expired.", _LOG_IN)
    if error_code in _UNKNOWN:
        return Fault(
            place.described, f"The credentials are not known there ({error_code}).", "check the account and the region"
        )
    return Fault(where, f"It cannot answer ({error_code}).", "look the code up in AWS's documentation, and try again")


def _state(error: Exception, place: AwsPlace) -> tuple[str, str]:
    match error:
        case ProfileNotFound():
            return f"There is no profile {place.profile}.", "make it with aws configure, or set another"
        case NoCredentialsError() | PartialCredentialsError() | CredentialRetrievalError():
            return "There are no credentials.", _LOG_IN
        case SSOError() | TokenRetrievalError():
            return "The login has expired.", "log in: aws sso login"
        case SSLError():
            return "Its TLS certificate is not trusted.", "set AWS_CA_BUNDLE to the authority that signed it"
        case ConnectionError() | HTTPClientError() | OSError():
            what = f"It cannot be reached ({type(error).__name__})."
            return what, f"check the region {place.region}, the endpoint and the network"
        case _:
            return f"It cannot be used ({type(error).__name__}).", "check the region, the endpoint and the profile"
