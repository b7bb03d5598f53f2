"""Whose the thing at a path is: ours, as its package brought it, or foreign."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

from deploys.marks import MANAGED
from deploys.paths import MARKS, STAMPS

HARMLESS = ("ours", "stock")
"""Of whom nothing is lost when it is replaced. The third answer is "foreign"."""

# Ours is what bears our name or our first line, what we noted when we wrote it, and what a stamp of ours watches.
# A configuration file that is as its package brought it holds nothing of anybody's: dpkg keeps its digest, and so does
# ucf for the files that it lays there.
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

# Earlier versions noted no directory that they made.
_DIRECTORY = rf"""case $path in *health-v1* | *healthv1*) echo yes; exit;; esac
if grep -qxF -- "$path" {MARKS}/files; then echo yes; exit; fi
[ -n "$(ls -A -- "$path")" ] || exit 0
find "$path" -mindepth 1 -maxdepth 1 ! -name '*health-v1*' ! -name '*healthv1*' -exec sh -c \
  'for it; do [ -f "$it" ] && head -n 2 -- "$it" | grep -qF "{MANAGED}" || echo "$it"; done' look {{}} + |
  grep -q . || echo yes"""


class PathOwner(FactBase[str]):
    """ours, stock or foreign; empty when it cannot be told.

    Stock is a file as its package brought it, an empty directory, and what is not there.
    """

    default = str

    def command(self, path: str) -> str:
        return f"(path={shlex.quote(path)}\n{_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> str:
        return output[0]


class OurDirectory(FactBase[bool]):
    """Whether we noted that we made the directory, or nothing lies in it but what is ours."""

    default = bool

    def command(self, path: str) -> str:
        return f"(path={shlex.quote(path)}\n{_DIRECTORY}) 2>/dev/null || true"

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]
