"""What boto3 raises, in words: which bucket, what it did, what to do next. No key is quoted."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, which is no OSError
    HTTPClientError,
    SSLError,
)

from healthv1.errors import Fault, StorageError

RAISED = (ClientError, BotoCoreError, OSError)


def explain(error: Exception, bucket: str, right: str) -> StorageError:
    """Return what an exception means.

    + right: what the key has to be allowed.
    """
    if isinstance(error, ClientError):
        return StorageError(_refusal(error, bucket, right))
    if isinstance(error, SSLError):
        hint = "set certificates= of the repository, in group_data, to the authority that signed it"
        return StorageError(Fault(bucket, "Its TLS certificate is not trusted.", hint))
    if isinstance(error, ConnectionError | HTTPClientError | OSError):
        hint = "if it is another address for you than for the hosts, set operator_endpoint= of the repository"
        return StorageError(Fault(bucket, f"It cannot be reached from here ({type(error).__name__}).", hint))
    return StorageError(Fault(bucket, f"It cannot be used ({type(error).__name__}).", "see the repository's settings"))


def _refusal(error: ClientError, bucket: str, right: str) -> Fault:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in {"AccessDenied", "403", "AllAccessDisabled"}:
        return Fault(bucket, f"The key is not allowed to: {right}.", "allow it: docs/backup-lock.md has the policy")
    if code in {"InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return Fault(
            bucket, f"It does not know the key ({code}).", "see whether the secret is the key that the provider gave"
        )
    if code in {"NoSuchBucket", "404"}:
        return Fault(bucket, "There is no such bucket.", "see bucket= of the repository, in group_data")
    return Fault(bucket, f"It answers {code or 'with an error'}.", "try again; look the code up in the server's manual")
