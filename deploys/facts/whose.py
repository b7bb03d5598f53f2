"""The owner of a path: ours, stock (as packaged), or foreign."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

from deploys.marks import MANAGED
from deploys.paths import MARKS, STAMPS

HARMLESS = ("ours", "stock")
"""Owners of paths that may be replaced. The third owner is "foreign"."""

# Ours: it has our name or our first line, was recorded when we wrote it, or is in one of our stamps. Stock: an
# unchanged configuration file, by the digest that dpkg or ucf keeps.
_STATE = f"""case $path in *health-v1* | *healthv1*) echo ours; exit;; esac
if grep -qxF -- "$path" {MARKS}/files || cut -f1 {STAMPS}/*.re* | grep -qxF -- "$path"; then echo ours; exit; fi
[ -e "$path" ] || [ -L "$path" ] || {{ echo stock; exit; }}
if [ ! -L "$path" ] && [ -d "$path" ] && [ -z "$(ls -A -- "$path")" ]; then echo stock; exit; fi
if [ -L "$path" ]; then case $(readlink -- "$path") in *health-v1*) echo ours; exit;; esac; fi
if [ -f "$path" ]; then
  if head -n 2 -- "$path" | grep -qF '{MANAGED}'; then echo ours; exit; fi
  digest=$(md5sum < "$path" | cut -c1-32)
  if awk -v path="$path" -v digest="$digest" '$1 == path && $2 == digest {{ found = 1 }} END {{ exit !found }}' \\
    /var/lib/dpkg/status || grep -qxF "$digest  $path" /var/lib/ucf/hashfile; then echo stock; exit; fi
fi
echo foreign"""

# Earlier versions did not record the directories they created.
_DIRECTORY = rf"""case $path in *health-v1* | *healthv1*) echo yes; exit;; esac
if grep -qxF -- "$path" {MARKS}/files; then echo yes; exit; fi
[ -n "$(ls -A -- "$path")" ] || exit 0
find "$path" -mindepth 1 -maxdepth 1 ! -name '*health-v1*' ! -name '*healthv1*' -exec sh -c \
  'for it; do [ -f "$it" ] && head -n 2 -- "$it" | grep -qF "{MANAGED}" || echo "$it"; done' look {{}} + |
  grep -q . || echo yes"""


class PathOwner(FactBase[str]):
    """ours, stock or foreign; empty if unknown.

    Stock: an unchanged file of a package, an empty directory, or nothing at all.
    """

    default = str

    def command(self, path: str) -> str:
        return f"(path={shlex.quote(path)}\n{_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> str:
        return output[0]


class OurDirectory(FactBase[bool]):
    """Whether we recorded the directory as ours, or it holds only our files."""

    default = bool

    def command(self, path: str) -> str:
        return f"(path={shlex.quote(path)}\n{_DIRECTORY}) 2>/dev/null || true"

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]
