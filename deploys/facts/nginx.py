"""The owner of a host's Nginx, and the sites it serves."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase

from deploys.sites import FIND_OWNER_FILES, ServedSites, parse_sites

# Prints the blocks of nginx's configuration, and only those directives that say which sites it serves where.
LIST_SITES = r"""nginx -T 2>/dev/null | awk '
function emit(  line, k) { line = "d"; for (k = 1; k <= count; k++) line = line "\t" word[k]; print line }
BEGIN { split("include listen server_name ssl_certificate user server_names_hash_bucket_size", known)
  for (k in known) told[known[k]] = 1 }
/^# configuration file .*:$/ { print "file\t" substr($0, 22, length($0) - 22); next }
{ line = $0 " "; n = length(line)
  for (i = 1; i <= n; i++) { c = substr(line, i, 1)
    if (escaped) { now = now c; escaped = 0; continue }
    if (c == "\\") { now = now c; escaped = started = 1; continue }
    if (quote != "") { if (c == quote) quote = ""; else now = now c; continue }
    if (!started && c == "#") break
    if (!started && (c == "\"" || c == "\047")) { quote = c; started = 1; continue }
    if (c == "{" && substr(now, length(now)) == "$") { now = now c; variable = 1; continue }
    if (c == "}" && variable) { now = now c; variable = 0; continue }
    if (c !~ /[ \t\r;{}]/) { now = now c; started = 1; continue }
    if (started) { word[++count] = now; now = ""; started = 0 }
    if (c == ";") { if (word[1] in told) emit(); count = 0 }
    if (c == "{") { print "{\t" word[1]; count = 0 }
    if (c == "}") { print "}"; count = 0 } } }'"""

_STATE = f"""{FIND_OWNER_FILES}
theirs | sed 's/^/theirs=/'
command -v nginx >/dev/null || exit 0
echo "version=$(nginx -v 2>&1 | sed -n 's#.*/\\([0-9.]*\\).*#\\1#p')"
echo "active=$(systemctl is-active nginx.service)"; echo "enabled=$(systemctl is-enabled nginx.service)"
said=$(nginx -t 2>&1) || echo "refuses=$(printf '%s\\n' "$said" | sed -n 's/.*\\[emerg\\] [0-9#]*: //p' | head -n 1)"
{LIST_SITES}"""


@dataclass(frozen=True)
class NginxOnHost:
    owner_files: tuple[str, ...] = ()
    """The owner's files; empty if Nginx is vacant, or ours."""
    version: tuple[int, ...] = ()
    """Empty without nginx."""
    active: str = ""
    """systemd's ActiveState."""
    enabled: str = ""
    """systemd's UnitFileState: enabled, disabled, masked."""
    config_error: str = ""
    """The error of `nginx -t`, empty if it succeeds."""
    sites: ServedSites = field(default_factory=ServedSites)


class NginxState(FactBase[NginxOnHost]):
    """A `NginxOnHost`; the default without nginx."""

    default = NginxOnHost

    def command(self) -> str:
        return f"({_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> NginxOnHost:
        lines = [line for line in output if line.partition("\t")[0] in {"file", "{", "}", "d"}]
        pairs = [line.split("=", 1) for line in output if line not in lines and "=" in line]
        values = dict(pairs)
        return NginxOnHost(
            owner_files=tuple(value for name, value in pairs if name == "theirs"),
            version=tuple(int(part) for part in values.get("version", "").split(".") if part),
            active=values.get("active", ""),
            enabled=values.get("enabled", ""),
            config_error=values.get("refuses", ""),
            sites=parse_sites(lines),
        )
