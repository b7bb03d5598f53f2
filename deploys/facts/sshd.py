"""Whether sshd includes our files, and the owner's choices in its configuration."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.facts import FactBase

# Only an Include before the first Match counts: after it, it belongs to that block. Relative names are below /etc/ssh.
_STATE = r"""main=/etc/ssh/sshd_config; [ -r "$main" ] || exit 0
patterns=$(awk 'tolower($1) == "match" { exit } tolower($1) == "include" { $1 = ""; gsub(/"/, ""); print }' "$main")
said='not included'; read_too=
set -f
for pattern in $patterns; do
  case $pattern in /*) ;; *) pattern=/etc/ssh/$pattern;; esac
  case /etc/ssh/sshd_config.d/00-health-v1.conf in $pattern) said=included;; esac
  read_too="$read_too $pattern"
done
set +f
echo "$said"; ! systemctl is-active --quiet ssh.socket || echo socket
for file in "$main" $read_too; do
  case $file in */00-health-v1-*) continue; esac
  ! grep -qiE '^[[:space:]]*PerSourcePenalt' "$file" || echo "penalties=$file"
done"""


@dataclass(frozen=True)
class SshdOnHost:
    includes: bool = True
    """sshd includes /etc/ssh/sshd_config.d for all accounts. Also true without sshd_config."""
    penalties: tuple[str, ...] = ()
    """The owner's files that set PerSourcePenalties."""
    socket: bool = False
    """systemd listens for it (ssh.socket)."""


class SshdFiles(FactBase[SshdOnHost]):
    default = SshdOnHost

    def command(self) -> str:
        return f"({_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> SshdOnHost:
        prefix = "penalties="
        return SshdOnHost(
            includes="not included" not in output,
            penalties=tuple(line.removeprefix(prefix) for line in output if line.startswith(prefix)),
            socket="socket" in output,
        )
