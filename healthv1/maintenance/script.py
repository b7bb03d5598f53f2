"""Scripts that close and open the website of an edge host. Each is done at once, or leaves everything as it was."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from deploys.facts.maintenance import TELL_MAINTENANCE, MaintenanceRecord
from deploys.nginx.checks import ENDER, WATCH
from deploys.paths import CLOSED, MAINTENANCE
from healthv1.maintenance.notice import Notice

# Nginx's workers say what holds, not a file. Its site is asked, too, whether it knows of maintenances at all.
_ASK = """asked() { curl -fsS --noproxy '*' --max-time 5 http://127.0.0.1:%s/maintenance 2>/dev/null || true; }
"""

_LOOK = f"""echo "site=$(asked)"
! systemctl is-active --quiet {WATCH} || echo watched=yes
echo "place=$(readlink {CLOSED} || true)"
echo "now=$(date +%s)"
{TELL_MAINTENANCE}
"""

# Where this connection comes from: sudo drops SSH_CONNECTION, so it is read from the parent processes.
_OURS = """client() {
  p=$$; while [ "${p:-1}" -gt 1 ]; do
    from=$(tr '\\0' '\\n' 2>/dev/null < "/proc/$p/environ" | sed -n 's/^SSH_CONNECTION=\\([^ ]*\\) .*/\\1/p')
    if [ -n "$from" ]; then echo "$from"; return; fi
    p=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$p/status" 2>/dev/null); done; }
ours() {
  client
  ip -o addr show | awk '$3 ~ /^inet/ { sub("/.*", "", $4); print $4 }'
  for name; do getent ahosts "$name" | awk '{ print $1 }'; done; }
"""

_SWITCH = f"""set -eu; umask 022
exec 9< {MAINTENANCE}; flock -w 10 9 || {{ echo "{MAINTENANCE} cannot be locked" >&2; exit 1; }}
put() {{
  rm -f {CLOSED}.new
  if [ -n "$1" ]; then ln -s "$1" {CLOSED}.new; mv -fT {CLOSED}.new {CLOSED}; else rm -f {CLOSED}; fi
  sync -f {MAINTENANCE}; }}
await() {{
  i=0; until [ "$(asked)" = "$1" ] && {{ [ "$1" = off ] || systemctl is-active --quiet {ENDER}; }}; do
    i=$((i + 1)); [ $i -lt 50 ] || {{ echo "$2" >&2; exit 1; }}
    sleep 0.2; done; }}
"""


@dataclass(frozen=True)
class EdgeState:
    """What an edge host says of itself."""

    knows: bool
    """Its site knows of maintenances, and something ends them."""
    closed: bool
    """Nginx's workers keep visitors out."""
    now: int
    """Its clock, as Unix time."""
    place: str
    """The folder of the maintenance that is on; empty while none is."""
    record: MaintenanceRecord | None

    @classmethod
    def read(cls, output: str) -> EdgeState:
        lines = output.splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        knows = values.get("site") in ("on", "off") and "watched" in values
        record = MaintenanceRecord.read(lines)
        return cls(
            knows, values.get("site") == "on", int(values["now"]), values.get("place", "") if record else "", record
        )


def look(port: int) -> str:
    """Return a script that prints an `EdgeState`. `port`: where Nginx tells its status."""
    return _ASK % port + _LOOK


def close(port: int, notice: Notice, record: MaintenanceRecord, ours: Iterable[str]) -> str:
    """Return a script that closes the website to visitors, or tells them something else.

    Everything is written into a folder of its own, which one rename then puts in the place of the one before. That one
    stays, so that it can be put back; older ones go.

    + ours: names and addresses of hosts of ours, which see /health besides the host itself and who closes it.
    """
    contents = {"problem.json": notice.problem, "page.html": notice.page, "record": record.text}
    writes = "\n".join(f'printf %s {shlex.quote(text)} > "$new/{name}"' for name, text in contents.items())
    return f"""{_ASK % port}{_OURS}{_SWITCH}
was=$(readlink {CLOSED} || true)
find {MAINTENANCE} -mindepth 1 -maxdepth 1 -type d ! -name "${{was:-/}}" -exec rm -rf -- {{}} +
new=$(mktemp -d {MAINTENANCE}/XXXXXXXXXX)
trap '[ "$(readlink {CLOSED})" = "$(basename "$new")" ] || rm -rf -- "$new"' EXIT
: > "$new/record"; chmod 0600 "$new/record"; chmod 0755 "$new"; mkdir "$new/ours"
{writes}
ours {" ".join(map(shlex.quote, ours))} | sed 's/%.*//' | sort -u | while IFS= read -r address; do
  case $address in '' | *[!0-9a-fA-F.:]*) ;; *) : > "$new/ours/$address";; esac; done
find "$new" -type f -exec sync -- {{}} +
put "$(basename "$new")"
flock -u 9
await on "Its website does not answer that it is closed, or nothing would end that"
"""


def put(port: int, place: str) -> str:
    """Return a script that opens the website, or puts the maintenance of `place` on again."""
    complaint = (
        "Its website does not answer that it is open" if not place else "Its website does not answer that it is closed"
    )
    return f"""{_ASK % port}{_SWITCH}
put {shlex.quote(place)}
flock -u 9
await {"on" if place else "off"} "{complaint}"
"""
