"""ufw's rules, written and loaded in one step each, and enforced without a moment in which SSH is shut out.

Not by ufw's own commands: they empty the chain before they fill it again, and whoever is killed between is locked out.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.firewall import ROLLBACK, Family, FirewallState, Rules, named
from deploys.operations.change import Change, Commands, announce

RIGHTS = "0640 root:root"
USER_RULES: dict[Family, str] = {4: "/etc/ufw/user.rules", 6: "/etc/ufw/user6.rules"}

# $1 and $2: the text of both files. They are tried before they are put in place. Loading empties and fills ufw's own
# chains in one transaction of the kernel; where nothing is in force yet, it waits for the operation that starts it.
_WRITE = """set -eu; umask 027; PATH=$PATH:/usr/sbin:/sbin
put() { new=$(mktemp -- "$1.XXXXXXXX"); printf %s "$2" > "$new"
  chown root:root "$new"; chmod 0640 "$new"; mv -fT -- "$new" "$1"; }
has() { "$1" -S "$2" >/dev/null 2>&1; }
printf %s "$1" | iptables-restore --test -n
! has ip6tables INPUT || printf %s "$2" | ip6tables-restore --test -n
put /etc/ufw/user.rules "$1"; put /etc/ufw/user6.rules "$2"
! has iptables ufw-user-input || printf %s "$1" | iptables-restore -n
! has ip6tables ufw6-user-input || printf %s "$2" | ip6tables-restore -n
"""

# Everything of ufw's is taken out of the kernel, in one transaction per family, and all else let in. ufw's own way back
# leaves chains behind that a later start takes for its own: it then drops everything and asks no rule.
_OPEN = """for restore in iptables-restore ip6tables-restore; do
  rest=$(${restore%-restore}-save -t filter 2>/dev/null | grep -v ufw | sed 's/^\\(:[A-Z]* \\)DROP/\\1ACCEPT/')
  [ -z "$rest" ] || printf '%s\\n' "$rest" | $restore
done"""

_ROLL_BACK = f"PATH=$PATH:/usr/sbin:/sbin\n{_OPEN}\nsed -i s/^ENABLED=.*/ENABLED=no/ /etc/ufw/ufw.conf"

_FOR_SYSTEMD = _ROLL_BACK.replace("$", "$$")  # else systemd fills in variables of its own

# A roll-back that has begun is let end, not met half-way.
_STAND_DOWN = f"""systemctl stop {ROLLBACK}.timer 2>/dev/null || true
while systemctl is-active --quiet {ROLLBACK}.service; do sleep 0.1; done"""

# $1: a test that SSH is let in. The timer opens everything again should this script, or the connection, not live on.
_ENFORCE = f"""set -eu; PATH=$PATH:/usr/sbin:/sbin
{_STAND_DOWN}
systemd-run --quiet --collect --unit={ROLLBACK} --on-active=90 --timer-property=AccuracySec=1s \\
  sh -c {shlex.quote(_FOR_SYSTEMD)}
{_OPEN}
sed -i s/^ENABLED=.*/ENABLED=yes/ /etc/ufw/ufw.conf
/usr/lib/ufw/ufw-init start >&2 && sh -c "$1" >&2 || {{
  systemctl start --no-block {ROLLBACK}.service; systemctl stop {ROLLBACK}.timer
  echo "the firewall would not have let SSH in: it was opened again" >&2; exit 1; }}"""

_CONFIRM = f"""{_STAND_DOWN}
sh -c "$1" >&2 || {{ echo "the firewall was opened again before this arrived: apply once more" >&2; exit 1; }}"""


@operation()
def ruled(texts: Mapping[Family, str]) -> Commands:
    """Have exactly the rules of `texts` (ufw's files, by family) written down and, where ufw filters, in the kernel."""
    found = host.get_fact(FirewallState)
    changes = list(
        dict.fromkeys(change for family, text in texts.items() for change in _of(found.families[family], text))
    )
    wrong = [USER_RULES[family] for family, text in texts.items() if found.families[family].text != text]
    open_files = [
        Change("file", USER_RULES[family], "update", "mode or owner", was=rules.rights, becomes=RIGHTS)
        for family, rules in found.families.items()
        if rules.rights not in {RIGHTS, ""}
    ]
    if not changes and not wrong and not open_files:
        host.noop("the rules are as they should be")
        return
    changes = changes or [Change("file", path, "update", "ufw's rules are written otherwise") for path in wrong]
    for change in (*changes, *open_files):
        announce(change)
    yield StringCommand(
        "sh",
        "-c",
        QuoteString(_WRITE + _dropped(found.families[4], found.families[6])),
        "rules",
        *(QuoteString(texts[family]) for family in (4, 6)),
    )


def _of(found: Rules, text: str) -> Iterator[Change]:
    wanted, written, loaded = named(text.splitlines()), named(found.text.splitlines()), named(found.kernel)
    enforced = loaded if found.in_force and not found.absent else written
    for rule in sorted(wanted - (written & enforced)):
        why = "the kernel does not have it" if rule in written else ""
        yield Change("rule", rule, "create", why, becomes=_verdict(rule))
    stray = written - wanted
    # The kernel spells an unusual rule otherwise than ufw does: those of ufw's own chains are named once.
    lone = {rule for rule in enforced - written - wanted if not stray or not rule.startswith("ufw-")}
    for rule in sorted(stray | lone):
        why = "" if rule in stray else "the kernel has it, ufw does not know it"
        yield Change(
            "rule", rule, "remove", why, was=_verdict(rule), effect="who is connected stays, nobody new gets in"
        )


def _verdict(rule: str) -> str:
    """Return what becomes of what it is about; an unusual rule says so itself."""
    return "let in" if " from " in rule else "in force"


def _dropped(*families: Rules) -> str:
    """Return shell that takes rules out of the kernel that let something in ahead of ufw."""
    programs = zip(("iptables", "ip6tables"), families, strict=True)
    return "\n".join(
        shlex.join([program, "-D", *shlex.split(line)[1:]])
        for program, rules in programs
        for line in rules.kernel
        if named([line]) and line.startswith("-A INPUT ")
    )


@operation()
def enforced(ssh: str) -> Commands:
    """Have the kernel drop what no rule lets in.

    + ssh: a shell command that succeeds if the kernel lets SSH in; unless it does, everything is opened again.
    """
    found = host.get_fact(FirewallState)
    if found.in_force and not found.unconfirmed:
        host.noop("ufw's rules are in force")
        return
    if found.in_force:
        why = "an earlier run was cut short"
        announce(Change("firewall", "ufw", "confirm", why, was="about to open again", becomes="in force"))
    else:
        effect = "what no rule lets in is dropped; it is opened again unless SSH still gets through"
        why = "the kernel does not filter"
        announce(Change("firewall", "ufw", "start", why, was="open", becomes="in force", effect=effect))
        yield StringCommand("sh", "-c", QuoteString(_ENFORCE), "enforce", QuoteString(ssh))
    # A command of its own: it arrives only if the firewall lets this connection live.
    yield StringCommand("sh", "-c", QuoteString(_CONFIRM), "confirm", QuoteString(ssh))
