"""What clients send and receive, and the kinds of values in it. Unknown members are refused."""

from typing import Annotated

from fastapi import Response
from pydantic import BaseModel, ConfigDict, StringConstraints


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Json(Response):
    """Sent as it is. Starlette would put its headers together from text for each answer."""

    def __init__(self, body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        self.status_code, self.body, self.background = status, body, None
        length = (b"content-length", str(len(body)).encode())
        self.raw_headers = [length, (b"content-type", b"application/json"), *headers]


Username = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._@+-]{0,127}$")]
