"""What can go wrong before or beside serving, as one message per fault and one hint."""

import os


class ApiError(Exception):
    exit_code = 1
    lines: list[str] = []
    """For stdout: what was asked for, though not all is well."""

    def __init__(self, *faults: str, hint: str) -> None:
        super().__init__(*faults)
        self.hint = hint

    def __str__(self) -> str:
        lines = [f"Error: {fault}" for fault in self.args]
        return "\n".join([*lines, f"Hint:  {self.hint}"])


class SettingsError(ApiError):
    exit_code = os.EX_CONFIG


class MasterKeyError(SettingsError):
    def __init__(self, variable: str = "MASTER_KEY") -> None:
        super().__init__(
            f"{variable}: does not open the keys that the database holds. Nothing was written.",
            hint="bring back the master key that they were stored under, or `healthv1-api keys rewrap` to a new one.",
        )


class DatabaseError(ApiError):
    pass


class DueError(ApiError):
    """What was checked is still to be done, as opposed to what could not be checked."""

    exit_code = 3


class NotAcceptedError(DueError):
    """Some secret does not open what it is for; `lines` say which."""

    def __init__(self, names: list[str], lines: list[str]) -> None:
        super().__init__(f"not accepted: {', '.join(names)}.", hint="the reasons are on stdout.")
        self.lines = lines


class PortError(ApiError):
    pass
