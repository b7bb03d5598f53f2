"""A password that somebody chooses, and that breaks the policy, is a 422 that names the fault."""

from fastapi.exceptions import RequestValidationError
from pydantic import SecretStr

from healthv1_api.auth.policy import fault

PRESENT = "Must be another one than the present password"


def refusal(member: str, what: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("body", member), "msg": what}])


def refuse_weak(member: str, password: SecretStr, username: str) -> None:
    """Raises RequestValidationError."""
    what = fault(password.get_secret_value(), username)
    if what:
        raise refusal(member, what)
