"""ufw's rules in the kernel: from the old set to the new in one step, taken back unless SSH gets through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.component import Text
from deploys.facts.firewall import FirewallState
from deploys.facts.marks import Marks
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign
from deploys.operations.risky import RiskyCommand
from deploys.operations.rivals import RULES, foreign
from deploys.rulesets import Family, Firewall, Rules, Table, composed, name, named, strays
from deploys.switching import BACK, MARK, TAKE_BACK, confirm, kept_aside, switch

SWITCH, LOG_IN = 20, 20
"""Seconds for the switch itself, and for the new connection to confirm it: together less than until the way back."""
CUT = f"the switch cut this connection off: {BACK}"
SHUT = f"no new SSH connection got through: {BACK}"


@operation()
def enforce_rules(texts: Mapping[Family, Text], ssh: str) -> Commands:
    """Have the kernel drop what no rule lets in.

    + texts: ufw's files of rules, as they are to be.
    + ssh: a shell command that succeeds if the kernel lets SSH in; unless it does, the old rules come back.
    """
    rules = {family: text() for family, text in texts.items()}
    found, ours = host.get_fact(FirewallState), MARK[0] in host.get_fact(Marks)
    taken_over = () if ours else refuse_foreign(foreign(found, rules))
    tables = () if ours else found.shutting_out
    changes = [*changes_of(found, rules, ours), *(_removed(table) for table in tables)]
    if found.in_force and not changes and not found.unconfirmed:
        host.noop("ufw's rules are in force")
        return
    for change in (*changes, *_of_the_whole(found, changes)):
        forecast().announce(change)
    if changes or not found.in_force:
        yield _switch(found, rules, ssh, ours, tables, bool(taken_over))
    yield RiskyCommand(*_quoted(confirm(ssh)), timeout=LOG_IN, complaint=SHUT, reconnect=True, fallback=TAKE_BACK)


def changes_of(found: Firewall, texts: Mapping[Family, str], ours: bool) -> list[Change]:
    """Return what becomes of single rules, each named once for both families."""
    each = (change for family, text in texts.items() for change in _of(found.families[family], text, ours))
    return list(dict.fromkeys(each))


def _of(found: Rules, text: str, ours: bool) -> Iterator[Change]:
    wanted, written, loaded = named(text.splitlines()), named(found.text.splitlines()), named(found.kernel)
    there = loaded if found.in_force and not found.absent else written
    for rule in sorted(wanted - there):
        why = "the kernel does not have it" if rule in written else ""
        yield Change("rule", rule, "create", why, becomes=_verdict(rule))
    # The kernel spells an unusual rule otherwise than ufw does: it is named once.
    gone = there - wanted
    gone -= {rule for rule in gone - written if " from " not in rule and written - wanted}
    added = {name(line) for line in strays(found.kernel, ours)}
    for rule in sorted(gone | added):
        why = "" if rule in written else "the kernel has it, ufw does not know it" if ours else "the owner's"
        lets_in = " from " in rule or (ours and rule.endswith("ACCEPT"))
        effect = "who is connected stays, nobody new gets in" if lets_in else ""
        yield Change("rule", rule, "remove", why, was=_verdict(rule), effect=effect)


def _verdict(rule: str) -> str:
    """Return what becomes of what it is about; an unusual rule says so itself."""
    return "let in" if " from " in rule else "in force"


def _removed(table: Table) -> Change:
    return Change("rules", f"nftables table {table}", "remove", "ufw's rules take its place", was="in force")


def _of_the_whole(found: Firewall, changes: list[Change]) -> Iterator[Change]:
    if not found.in_force:
        effect = "what no rule lets in is dropped; the old rules come back unless a new SSH connection gets through"
        why = "the kernel does not filter by them"
        yield Change("firewall", "ufw", "start", why, was="not in force", becomes="in force", effect=effect)
    elif found.unconfirmed and not changes:
        why = "an earlier run was cut short"
        yield Change("firewall", "ufw", "confirm", why, was="about to be taken back", becomes="in force")


def _switch(
    found: Firewall, texts: Mapping[Family, str], ssh: str, ours: bool, tables: tuple[Table, ...], keep: bool
) -> StringCommand:
    files = {4: "new", 6: "new6"}
    gone = {(table.family, table.name) for table in tables}
    theirs = {4: ("ip", "filter"), 6: ("ip6", "filter")}  # what iptables says of it is not how it can be loaded
    whole = []
    for family, rules in found.families.items():
        kept = replace(rules, kernel=()) if theirs[family] in gone else rules
        whole.append(f"== {files[family]}\n{composed(kept, texts[family], family, ours)}")
    words = switch(ssh, tables, kept_aside(RULES, found.rivals) if keep else "")
    return RiskyCommand(*_quoted(words), timeout=SWITCH, complaint=CUT, _stdin="".join([*whole, "== end\n"]))


def _quoted(words: Iterable[str]) -> Iterator[QuoteString]:
    return (QuoteString(word) for word in words)
