"""A system account, as the password database has it, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from deploys.accounts import AccountEvidence, HomeState
from deploys.facts.release import COMPLETE

_STATE = (
    'getent passwd "$1" | cut -d: -f1,3-7; id -gn "$1"; id -Gn "$1";'
    ' case "$(getent shadow "$1" | cut -d: -f2)" in "!"*|"*"*) echo locked;; *) echo open;; esac'
)
# Of an account of a person, or of somebody's program. A "!" before a password only keeps it for later.
_OWNER_EVIDENCE = """low() { limit=$(sed -n "s/^$1[ \t]*//p" /etc/login.defs)
  [ "$2" != 0 ] && [ "$2" -lt "${limit:-1000}" ]; }
who=$1; entry=$(getent passwd "$who") && {
IFS=: read -r _ _ uid gid _ home shell <<END
$entry
END
low UID_MIN "$uid" || echo person
echo "uid=$uid"; echo "home=$home"
[ ! -d "$home" ] || [ -z "$(ls -A -- "$home")" ] || echo files
ls "$home"/.ssh/authorized_keys* >/dev/null && echo keys
getent shadow "$who" | cut -d: -f2 | grep -q '[$]' && echo password; }
getent group "$who" | { IFS=: read -r _ _ gid members && {
low GID_MIN "$gid" || echo people
others=$(getent passwd | awk -F: -v gid="$gid" -v who="$who" '$4 == gid && $1 != who { print $1 }')
echo "members=$(echo "$members" $others)"; }; }"""
# A release that is whole is ours; what stands in our folders before the first one is whole is known by its name.
_HOME_STATE = f"""home=$1; ls "$home"/releases/*/{COMPLETE} >/dev/null && {{ echo ours; exit; }}
if [ -e "$home" ] || [ -L "$home" ]; then [ -d "$home" ] && [ ! -L "$home" ] || echo "kind=$(stat -c %F -- "$home")"; fi
cd "$home" && find . -mindepth 1 ! -type d ! -path ./.env ! -path ./.env.owner ! -path './releases/*' -printf '%P\\n' \
  | LC_ALL=C sort | head -n 3 | sed 's/^/holds=/'"""


@dataclass(frozen=True)
class Account:
    home: str
    shell: str
    group: str
    groups: frozenset[str]
    locked: bool
    """No password opens it."""


class AccountState(FactBase[Account | None]):
    def command(self, account: str) -> StringCommand:
        return StringCommand(
            *("id", QuoteString(account), ">/dev/null", "2>&1", "||", "exit", "0;"),
            *("sh", "-c", QuoteString(_STATE), "account", QuoteString(account)),
        )

    def process(self, output: list[str]) -> Account | None:
        entry, group, groups, lock = output
        *_, home, shell = entry.split(":")
        return Account(home, shell, group, frozenset(groups.split()), lock == "locked")


class AccountOwner(FactBase[AccountEvidence]):
    """What of an account, and of the group of its name, tells that somebody has it."""

    default = AccountEvidence

    def command(self, account: str) -> StringCommand:
        return _script_command(_OWNER_EVIDENCE, account)

    def process(self, output: list[str]) -> AccountEvidence:
        values = dict(line.partition("=")[::2] for line in output)
        return AccountEvidence(
            uid=values.get("uid", ""),
            home=values.get("home", ""),
            members=values["members"].split() if "members" in values else None,
            traits=frozenset(values) - {"uid", "home", "members"},
        )


class HomeOwner(FactBase[HomeState]):
    """What of a home tells that it is ours, or somebody else's."""

    default = HomeState

    def command(self, home: str) -> StringCommand:
        return _script_command(_HOME_STATE, home)

    def process(self, output: list[str]) -> HomeState:
        kind = next((line[5:] for line in output if line.startswith("kind=")), "")
        return HomeState("ours" in output, kind, tuple(line[6:] for line in output if line.startswith("holds=")))


class LoginName(FactBase[str]):
    """Whom we log in as, before sudo."""

    default = str

    def command(self) -> str:
        return 'echo "${SUDO_USER:-$(id -un)}"'

    def process(self, output: list[str]) -> str:
        return output[0]


def _script_command(script: str, argument: str) -> StringCommand:
    return StringCommand(
        "{", "sh", "-c", QuoteString(script), "owner", QuoteString(argument), "2>/dev/null;", "true;", "}"
    )
