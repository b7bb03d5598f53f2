"""A system account in the password database, and the evidence of its owner."""

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
# Evidence that an account belongs to a person or to a program. A "!" before a hash only locks the password.
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
# A complete release is ours. Before the first one is complete, our folders are recognized by name.
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
    """The password is locked."""


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
    """Evidence that an account, or the group of its name, belongs to somebody else."""

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
    """Evidence that a home is ours, or somebody else's."""

    default = HomeState

    def command(self, home: str) -> StringCommand:
        return _script_command(_HOME_STATE, home)

    def process(self, output: list[str]) -> HomeState:
        kind = next((line[5:] for line in output if line.startswith("kind=")), "")
        return HomeState("ours" in output, kind, tuple(line[6:] for line in output if line.startswith("holds=")))


class LoginName(FactBase[str]):
    """The account of our SSH connection, before sudo."""

    default = str

    def command(self) -> str:
        return 'echo "${SUDO_USER:-$(id -un)}"'

    def process(self, output: list[str]) -> str:
        return output[0]


def _script_command(script: str, argument: str) -> StringCommand:
    return StringCommand(
        "{", "sh", "-c", QuoteString(script), "owner", QuoteString(argument), "2>/dev/null;", "true;", "}"
    )
