"""Receives an encrypted dump over SSH. What arrived is whole only if the host says so, and its digest is the same here.

The host's side is deploys/postgresql/dump.py.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, BinaryIO

import gevent

from deploys.postgresql.dump import BEGIN, LOCK_WAIT, NO_AGE, NOT_OURS, ROWS, SHA256, UNREADABLE
from healthv1.errors import Fault, HostError

CHUNK = 1 << 16  # bytes
SSH_FAILED = 255  # ssh's own exit code
MESSAGES = 5
"""The number of a host's messages that are kept, and shown."""
FIRST = b"age-encryption.org/v1\n"
"""The first line of every age file. Before it, a login shell may print."""


@dataclass
class Told:
    """What the host says of a dump while it streams."""

    tables: dict[str, int] = field(default_factory=dict)
    """The number of rows by table."""
    sha256: str = ""
    marks: set[str] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)

    @property
    def own_words(self) -> list[str]:
        """The messages of whoever failed: not of those who only miss what another did not send."""
        return [message for message in self.messages if not message.startswith(("pg_restore:", "tee:"))]

    def take(self, line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if word == ROWS:
            count, _, table = rest.partition(" ")
            self.tables[table] = int(count)
        elif word == SHA256:
            self.sha256 = rest
        elif word == BEGIN:
            self.messages.clear()  # they were the login shell's
        elif word.startswith("@"):
            self.marks.add(word)
        elif line.strip() and len(self.messages) < MESSAGES:
            self.messages.append(line.strip())


@dataclass(frozen=True)
class Received:
    """A dump that arrived whole."""

    sha256: str
    size: int
    """In bytes."""
    tables: dict[str, int]
    """The number of rows by table."""


def receive(
    environment: str, name: str, argv: Sequence[str], script: str, file: BinaryIO, arrived: Callable[[int], None]
) -> Received:
    """Run `script` at the other end of `argv`, on host `name`, and write what it sends into `file`.

    + arrived: told the number of bytes so far.

    Raises `HostError` if not everything arrived, and the `OSError` of a write. The host stops then.
    """
    told, size, digest = Told(), 0, hashlib.sha256()
    with _start(argv) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        listening = gevent.spawn(_listen, process, told)
        try:
            _send(process, script)
            for chunk in _age_file(process.stdout):
                _write(file, chunk)
                digest.update(chunk)
                size += len(chunk)
                arrived(size)
            listening.join()
            code = process.wait()
        except BaseException:
            process.terminate()  # its stdin ends as well: the host stops
            raise
        finally:
            process.stdin.close()
    HostError.unless([fault] if (fault := judge(environment, name, code, told, digest.hexdigest())) else ())
    return Received(told.sha256, size, told.tables)


def judge(environment: str, name: str, code: int, told: Told, sha256: str) -> Fault | None:
    """Return why the copy from host `name` is not whole, or None.

    + sha256: the digest of what arrived.
    """
    if code == 0 and told.sha256 == sha256:
        return None if told.tables else Fault(name, "The database has no table yet.", f"healthv1 apply {environment}")
    if NO_AGE in told.marks:
        what = "age is not installed there: nothing could be encrypted."
        return Fault(name, what, f"healthv1 apply {environment}")
    if NOT_OURS in told.marks:
        return Fault(name, "Our PostgreSQL does not run there.", f"healthv1 verify {environment}")
    if any("statement timeout" in message for message in told.messages):  # pg_dump limits only its LOCK TABLE
        what = f"A table was locked for more than {LOCK_WAIT} s, as by a migration{_because(told)}."
        return Fault(name, what, f"run it again when that is done: healthv1 lock show {environment}")
    return Fault(name, f"{_failure(code, told)}.", "nothing was kept of it; run it again")


def _failure(code: int, told: Told) -> str:
    if code == 0:
        return "What arrived is not what was sent: the digests differ"
    if code == SSH_FAILED:
        return f"SSH could not get there, or lost it{_because(told)}"
    # Of what other programs miss, pg_restore always complains as well.
    alone = UNREADABLE in told.marks and not told.own_words
    return f"{'The dump could not be read through' if alone else 'The dump failed'}{_because(told)}"


def _because(told: Told) -> str:
    first = told.own_words or told.messages
    return f" ({'; '.join(first).rstrip('.')})" if first else ""


def _start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(argv, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise HostError(Fault(argv[0], f"It cannot be started ({error.strerror}).", "install openssh-client")) from None


def _send(process: subprocess.Popen[bytes], script: str) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(script.encode())
        process.stdin.flush()
    except BrokenPipeError:  # ssh ended: its exit code and its words say why
        pass


def _age_file(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield an age file in parts, without what came before it."""
    before = b""
    while chunk := stream.read(CHUNK):
        before += chunk
        if FIRST in before:
            yield before[before.index(FIRST) :]
            break
        before = before[-len(FIRST) :]
    while chunk := stream.read(CHUNK):
        yield chunk


def _write(file: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]


def _listen(process: subprocess.Popen[bytes], told: Told) -> None:
    assert process.stderr is not None
    for line in iter(process.stderr.readline, b""):
        told.take(line.decode(errors="replace"))
