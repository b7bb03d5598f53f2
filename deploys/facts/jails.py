"""fail2ban's foreign configuration files, and the jails that keep it from starting."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from deploys.marks import MANAGED

# Foreign: a file that fail2ban reads, that is not ours and not as packaged.
_STATE = rf"""dir=/etc/fail2ban status=/var/lib/dpkg/status
case $(dpkg-query -W -f '${{db:Status-Abbrev}}' fail2ban) in ii*) echo installed; esac
echo enabled=$(systemctl is-enabled fail2ban.service); echo active=$(systemctl is-active fail2ban.service)
find "$dir" /etc/default/fail2ban ! -type d \( -name '*.conf' -o -name '*.local' -o -path /etc/default/fail2ban \) \
  -exec md5sum {{}} + | sort -k 2 |
awk 'NR == FNR {{ if ($1 ~ /^\/etc\//) stock[$1, $2]; next }}
  {{ digest = $1; sub(/^[^ ]+ [ *]/, ""); if (!(($0, digest) in stock)) print }}' "$status" - |
while IFS= read -r file; do
  case $file in */health-v1*) continue; esac
  ! head -n 2 -- "$file" | grep -qF '{MANAGED}' || continue
  echo "foreign=$file"
  case $file in "$dir"/jail.*) awk '/^\[/ {{ jail = $0 }}
    jail ~ /^\[sshd\]/ {{ print "sshd" }}
    jail ~ /^\[DEFAULT\]/ && /^ignoreip[ \t]*[=:]/ {{ print "ignoreip" }}' "$file"; esac
done"""


@dataclass(frozen=True)
class JailsOnHost:
    foreign_files: tuple[str, ...] = ()
    """The owner's configuration files."""
    configures_sshd: bool = False
    """One of them configures the jail sshd."""
    sets_ignoreip: bool = False
    """One of them sets ignoreip for all jails."""
    installed: bool = False
    enabled: bool = False
    active: str = ""
    """systemd's ActiveState."""


class JailsState(FactBase[JailsOnHost]):
    """`JailsOnHost`; where fail2ban has no files, the default."""

    default = JailsOnHost

    def command(self) -> str:
        return f"({_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> JailsOnHost:
        pairs = [(name, value) for name, _, value in (line.partition("=") for line in output)]
        values = dict(pairs)
        return JailsOnHost(
            foreign_files=tuple(value for name, value in pairs if name == "foreign"),
            configures_sshd="sshd" in values,
            sets_ignoreip="ignoreip" in values,
            installed="installed" in values,
            enabled=values.get("enabled", "").startswith("enabled"),
            active=values.get("active", ""),
        )


# Runs fail2ban's own parser as the server does at its start: the client's --dp misses absent logs, and --test refuses
# jails that the server skips. Our jails are about to be rewritten: $1 replaces them.
_FIND_BROKEN = r"""
import glob, logging, os, shutil, sys, tempfile
logging.disable(logging.CRITICAL)
from fail2ban.client.jailsreader import JailsReader
ROOT, OURS = "/etc/fail2ban", "jail.d/health-v1.local"
def told(jail, why, logs=""):
    names = [name for kind in ("conf", "local") for name in ["jail." + kind, *sorted(glob.glob("jail.d/*." + kind))]]
    text = {name: open(name, errors="replace").read() for name in names if os.path.isfile(name)}
    at = [name for name in text if "\n[%s]" % jail in "\n" + text[name]]
    said = " ".join(str(why).replace(os.getcwd(), ROOT).split())
    print("broken", jail, os.path.join(ROOT, at[-1]) if jail and at else "", logs, said, sep="\t")
with tempfile.TemporaryDirectory(dir="/run") as copy:
    shutil.copytree(ROOT, copy, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    os.chdir(copy)
    os.makedirs("jail.d", exist_ok=True)
    with open(OURS, "w") as ours:
        ours.write(sys.argv[1])
    reader = JailsReader(basedir=copy, share_config={})
    try:
        reader.read()
        names = reader.sections()
    except Exception as error:
        told("", error)
        names = []
    for name in names:
        try:
            reader.getOptions(name)
        except Exception as error:
            told(name, error)
    for jail in reader.jails:
        try:
            jail.convert()
        except Exception as error:
            told(jail.getName(), error, " ".join(jail.options.get("logpath", "").split()))
    os.chdir("/")
"""


@dataclass(frozen=True)
class BrokenJail:
    jail: str
    """Empty if a file cannot be parsed."""
    file: str
    """The last file that configures the jail."""
    logs: tuple[str, ...]
    """Its missing log files."""
    why: str
    """fail2ban's message."""


class BrokenJails(FactBase[list[BrokenJail]]):
    """The jails, except ours, that keep fail2ban from starting; empty if it is not installed.

    + replacement: the text to parse in place of our jails.
    """

    default = list

    def command(self, replacement: str) -> str:
        return f"/usr/bin/python3 -c {shlex.quote(_FIND_BROKEN)} {shlex.quote(replacement)} 2>/dev/null || true"

    def process(self, output: list[str]) -> list[BrokenJail]:
        rows = (line.split("\t") for line in output)
        return [BrokenJail(jail, file, tuple(logs.split()), why) for _, jail, file, logs, why in rows]
