"""What clients send and receive, and the kinds of values in it. Unknown members are refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


Username = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._@+-]{0,127}$")]
