"""A program of ours on a host: a folder named after its content, and a link that leads to it."""

from __future__ import annotations

import base64
import hashlib
import io
import shlex
import tarfile
from collections.abc import Callable, Mapping

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.path import PathState
from deploys.facts.probe import Succeeds
from deploys.foreign import Foreign
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign

Files = Callable[[], Mapping[str, str]]
"""Returns the text of each file by its path inside the program's folder."""

# $1 the link, $2 the folder that it is going to lead to. A folder of that name which a killed run left is thrown away:
# the link does not lead to it yet. Folders of earlier versions go last: a process that still runs has read them. Only
# what bears such a name goes.
_INSTALL = """set -eu; umask 022
link=$1 folder=$2; new=$folder.new; mkdir -p -- "$(dirname -- "$link")"
rm -rf -- "$new"; mkdir -- "$new"; base64 -d | tar -x --no-same-owner -C "$new"; sync -f "$new"
rm -rf -- "$folder"; mv -T -- "$new" "$folder"
ln -sfnT -- "$folder" "$link.new"; mv -fT -- "$link.new" "$link"
for old in "$link"-[0-9a-f]???????????; do case ${old##*-} in *[!0-9a-f]*) continue;; esac
  [ "$old" = "$folder" ] || rm -rf -- "$old"; done"""


def folder_of(path: str, files: Mapping[str, str]) -> str:
    """Return the folder to which the link `path` leads while it holds `files`."""
    lines = [f"{name} {hashlib.sha256(text.encode()).hexdigest()}\n" for name, text in sorted(files.items())]
    return f"{path}-{hashlib.sha256(''.join(lines).encode()).hexdigest()[:12]}"


@operation()
def program(path: str, files: Files) -> Commands:
    """Have the link `path` lead to a folder that holds `files`, unchanged."""
    texts = files()
    folder = folder_of(path, texts)
    # One question: where all is as it should be, a plan asks nothing more.
    is_there = f'test "$(readlink {shlex.quote(path)})" = {shlex.quote(folder)} && {_is_whole(folder, texts)}'
    if host.get_fact(Succeeds, test=is_there):
        host.noop(f"{path} is as it should be")
        return
    link = host.get_fact(PathState, path=path)
    if link and not (link.kind == "symbolic link" and link.content.startswith(f"{path}-")):
        refuse_foreign([Foreign(f"file {path}", f"A {link.kind} of the host's owner lies there.", "", "move it away")])
    why = "its files were changed" if link and link.content == folder else ""
    action = "update" if link else "create"
    forecast().announce(Change("program", path, action, why, becomes=folder.rpartition("-")[2]))
    words = (QuoteString(path), QuoteString(folder))
    yield StringCommand("sh", "-c", QuoteString(_INSTALL), "install", *words, _stdin=_archive(texts))


def _is_whole(folder: str, texts: Mapping[str, str]) -> str:
    sums = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in sorted(texts.items()))
    return f"cd {shlex.quote(folder)} && printf %s {shlex.quote(sums)} | sha256sum -c --quiet --status -"


def _archive(texts: Mapping[str, str]) -> str:
    """Return a tar archive in base64, the same one for the same texts."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, text in sorted(texts.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
    return base64.encodebytes(stream.getvalue()).decode()
