"""Files, written whole: content on stdin, a temporary file beside the target, validated, then one rename."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import replace

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.before import keep_aside
from deploys.component import Text
from deploys.facts.path import FileText, Path, PathState
from deploys.facts.whose import HARMLESS, OurDirectory, PathOwner
from deploys.foreign import Foreign
from deploys.marks import note_written
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign
from deploys.operations.secret_diff import differing_values

# $1 path, $2 size in bytes, $3 mode, $4 user, $5 group, $6 test of the temporary file, $7 test once it is in place,
# $8 shell that copies what is not ours aside, $9 whether the place is known to be ours.
# The temporary file lies in a directory of its own beside the target, so that the rename is atomic and tests see
# the final name. The size is compared because a connection that breaks looks like the end of the content.
# The old file comes back unless the test in place has passed, whatever ends this script: a reboot sends SIGTERM.
# The time of the last modification tells services what they have to take up: it stays when only the mode changes.
# A directory in the way goes if it is empty; else rmdir says so, for nobody knows what is in it.
_WRITE = f"""set -eu; umask 077
path=$1 dir=$(dirname -- "$1")
tmp=$(mktemp -d -- "$dir/.healthv1.XXXXXXXX") untested=
back() {{ if [ -e "$tmp/old" ]; then mv -fT -- "$tmp/old" "$path"; else rm -f -- "$path"; fi; }}
trap '[ -z "$untested" ] || back; rm -rf -- "$tmp"' EXIT; trap 'exit 1' HUP INT TERM
new=$tmp/$(basename -- "$path"); cat > "$new"
[ "$(wc -c < "$new")" -eq "$2" ] || {{ echo "$path: the content did not arrive whole" >&2; exit 1; }}
chown -- "$4:$5" "$new"; chmod -- "$3" "$new"
if [ -f "$path" ] && [ ! -L "$path" ] && cmp -s -- "$path" "$new"; then touch -r "$path" -- "$new"; fi
sync -- "$new" # a host that loses its power has the old file or the new one, and none that is empty
[ -z "$6" ] || sh -c "$6" test "$new" >&2
[ -z "$8" ] || sh -c "$8" >&2
[ -n "$9" ] || {note_written('"$path"')}
[ -L "$path" ] || [ ! -d "$path" ] || rmdir -- "$path"
if [ -z "$7" ]; then mv -fT -- "$new" "$path"; exit; fi
[ ! -e "$path" ] || cp -a -- "$path" "$tmp/old"
untested=yes; mv -fT -- "$new" "$path"
sh -c "$7" >&2; untested="""


# What a link leads to stays where it is: it may be another disk. $6 whether it is somebody else's, and is only opened;
# $7 whether the place is known to be ours.
_MAKE_DIRECTORY = f"""set -eu
if [ -n "$6" ]; then chmod -- "$2" "$1"; exit; fi
[ -n "$7" ] || {note_written('"$1"')}
[ -z "$5" ] || sh -c "$5" >&2
if [ -L "$1" ] || [ -f "$1" ]; then rm -f -- "$1"; fi
install -d -o "$3" -g "$4" -m "$2" -- "$1\""""

_LINK = """set -eu; [ -z "$3" ] || sh -c "$3" >&2
new=$(dirname -- "$1")/.$(basename -- "$1").healthv1
ln -sfnT -- "$2" "$new"
[ -L "$1" ] || [ ! -d "$1" ] || rmdir -- "$1"
mv -fT -- "$new" "$1\""""


@operation()
def file(
    path: str,
    content: Text,
    mode: str = "0644",
    user: str = "root",
    group: str = "root",
    secret: bool = False,
    test: str = "",
    test_in_place: str = "",
    ours: bool = False,
) -> Commands:
    """Make `path` a regular file with exactly this content, owner and mode.

    + content: renders the text, each time that the operation is evaluated; it must end in a newline.
    + secret: never show the content, in no diff; the names of the values that differ are told.
    + test: a shell command that must accept the new file at `$1` before the rename.
    + test_in_place: a shell command that must succeed after the rename, or the old file comes back.
    + ours: the place around it is known to be ours, whatever lies there; else a file that is neither ours nor as its
      package brought it is refused, or kept aside first where it was adopted.
    """
    text = content()
    content_bytes = text.encode()
    target = Path("regular file", mode, user, group, hashlib.sha256(content_bytes).hexdigest())
    current = host.get_fact(PathState, path=path)
    same_content = current is not None and current.content == target.content
    plan = forecast()
    reported = None if plan.creates("file", path) else current
    changes_needed = [_file_change(reported, target, path, text, secret)] if current != target else []
    changes = plan.reconcile(f"file {path}", changes_needed)
    if not changes:
        host.noop(f"{path} is as it should be")
        return
    backup = "" if ours else _back_up_foreign(path, reported, "replace it")
    plan.announce(replace(changes[0], why=_with_backup_note(changes[0].why, backup)), pending=not same_content)
    yield StringCommand(
        *("sh", "-c", QuoteString(_WRITE), "write"),
        *(
            QuoteString(part)
            for part in (path, str(len(content_bytes)), mode, user, group, test, test_in_place, backup, "ours" * ours)
        ),
        _stdin=text,
    )


def _back_up_foreign(path: str, current: Path | None, action: str) -> str:
    """Return shell that copies aside what lies at `path`, if that is foreign and adopted. Raises `Refused` if not."""
    if current is None or host.get_fact(PathOwner, path=path) in HARMLESS:
        return ""
    description, consequence = f"A {current.kind} of the host's owner lies there.", f"An apply would {action}."
    conflict = Foreign(
        f"file {path}", description, consequence, "move it elsewhere", adoptable=current.kind != "directory"
    )
    refuse_foreign([conflict])
    return keep_aside(conflict.thing, [path])


def _with_backup_note(why: str, backup: str) -> str:
    return ", ".join(part for part in (why, "the owner's is kept aside" if backup else "") if part)


def _file_change(current: Path | None, target: Path, path: str, text: str, secret: bool) -> Change:
    is_file = current is not None and current.kind == target.kind
    value_names = differing_values(path, text) if is_file and secret else ""
    same_content = current is not None and current.content == target.content
    diff = "" if secret or same_content else _diff(path, text, exists=is_file)
    return _change("file", path, current, target, value_names, diff)


def _change(kind: str, path: str, current: Path | None, target: Path, value_names: str = "", diff: str = "") -> Change:
    """Return what is announced.

    + value_names: which values of a secret file do.
    """
    if current is None:
        return Change(kind, path, "create", diff=diff, becomes=_describe(target))
    if current.kind != target.kind:
        kinds = {"was": f"a {current.kind}", "becomes": f"a {target.kind}, {_describe(target)}"}
        return Change(kind, path, "update", f"it is a {current.kind}", diff, **kinds)
    reasons = ["mode"] * (current.mode != target.mode)
    reasons += ["owner"] * ((current.user, current.group) != (target.user, target.group))
    rights = {"was": _describe(current), "becomes": _describe(target)} if reasons else {}
    reasons += [f"content: {value_names}" if value_names else "content"] * (current.content != target.content)
    return Change(kind, path, "update", ", ".join(reasons), diff, **rights)


def _describe(path: Path) -> str:
    return f"{path.mode} {path.user}:{path.group}"


def _diff(path: str, target: str, exists: bool) -> str:
    current = host.get_fact(FileText, path=path) if exists else ""
    names = f"{path} (host)", f"{path} (wanted)"
    return "\n".join(difflib.unified_diff(_lines(current), _lines(target), *names, lineterm=""))


def _lines(text: str) -> list[str]:
    """Return the lines as they are, carriage returns among them, and say what is missing at the end."""
    *lines, last = text.split("\n")
    return [*lines, last, "\\ No newline at end of file"] if last else lines


@operation()
def directory(path: str, mode: str = "0755", user: str = "root", group: str = "root", ours: bool = False) -> Commands:
    """Make `path` a directory with this owner and mode, its parents included.

    A directory of somebody else's keeps its owner and mode; where nobody passes through it who has to, it is opened.

    + ours: as of `file`; what is in the way of a directory, and the directory itself.
    """
    target = Path("directory", mode, user, group, "")
    current = host.get_fact(PathState, path=path)
    plan = forecast()
    reported = None if plan.creates("directory", path) else current
    is_foreign = bool(reported) and current != target and not ours and _is_foreign_directory(path, reported)
    if is_foreign and reported:
        target = open_for_others(reported, mode)
    changes_needed = [_change("directory", path, reported, target)] if current != target else []
    changes = plan.reconcile(f"directory {path}", changes_needed)
    if not changes:
        host.noop(f"{path} is as it should be")
        return
    obstacle = reported if reported and reported.kind != "directory" and not ours else None
    backup = _back_up_foreign(path, obstacle, "put a directory in its place")
    plan.announce(replace(changes[0], why=_with_backup_note(changes[0].why, backup)))
    parts = (path, target.mode, user, group, backup, "theirs" * is_foreign, "ours" * ours)
    yield StringCommand("sh", "-c", QuoteString(_MAKE_DIRECTORY), "directory", *(QuoteString(part) for part in parts))


def _is_foreign_directory(path: str, current: Path | None) -> bool:
    return current is not None and current.kind == "directory" and not host.get_fact(OurDirectory, path=path)


def open_for_others(directory: Path, mode: str) -> Path:
    """Return somebody else's directory so that whoever passes through one of `mode` passes through it too."""
    return replace(directory, mode=f"{int(directory.mode, 8) | int(mode, 8) & 0o711:04o}")


@operation()
def link(path: str, target: str, ours: bool = False) -> Commands:
    """Make `path` a symbolic link to `target`, switched by one rename.

    + ours: as of `file`.
    """
    current = host.get_fact(PathState, path=path)
    if current and current.kind == "symbolic link" and current.content == target:
        host.noop(f"{path} leads to {target}")
        return
    was = (current.content or f"a {current.kind}") if current else ""
    backup = "" if ours else _back_up_foreign(path, current, "put a link in its place")
    why = _with_backup_note("", backup)
    forecast().announce(Change("link", path, "update" if current else "create", why, was=was, becomes=target))
    parts = (path, target, backup)
    yield StringCommand("sh", "-c", QuoteString(_LINK), "link", *(QuoteString(part) for part in parts))


@operation()
def absent(path: str) -> Commands:
    """Remove our file or link at `path`; somebody else's stays."""
    current = host.get_fact(PathState, path=path)
    if current is None or host.get_fact(PathOwner, path=path) not in HARMLESS:
        host.noop(f"nothing of ours is at {path}")
        return
    forecast().announce(Change("file", path, "remove", was=_describe(current)))
    yield StringCommand("rm", "-f", "--", QuoteString(path))
