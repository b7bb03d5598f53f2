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
from deploys.operations.rivals import RULES_SUBJECT, firewall_conflicts
from deploys.rulesets import Family, Firewall, Rules, Table, compose_table, rule_name, rule_names, unmanaged_rules
from deploys.switching import MARK, ROLLBACK_NOTE, START_ROLLBACK, back_up_firewall, confirm_command, switch_command

SWITCH_SECONDS, CONFIRM_SECONDS = 20, 20
"""Seconds for the switch itself, and for the new connection to confirm it: together less than until the way back."""
CUT_COMPLAINT = f"the switch cut this connection off: {ROLLBACK_NOTE}"
SHUT_COMPLAINT = f"no new SSH connection got through: {ROLLBACK_NOTE}"


@operation()
def enforce_rules(texts: Mapping[Family, Text], ssh: str) -> Commands:
    """Have the kernel drop what no rule lets in.

    + texts: ufw's files of rules, as they are to be.
    + ssh: a shell command that succeeds if the kernel lets SSH in; unless it does, the old rules come back.
    """
    rules = {family: text() for family, text in texts.items()}
    firewall, ours = host.get_fact(FirewallState), MARK[0] in host.get_fact(Marks)
    adopted = () if ours else refuse_foreign(firewall_conflicts(firewall, rules))
    tables = () if ours else firewall.blocking_tables
    changes = [*rule_changes(firewall, rules, ours), *(_table_removal(table) for table in tables)]
    if firewall.in_force and not changes and not firewall.unconfirmed:
        host.noop("ufw's rules are in force")
        return
    for change in (*changes, *_firewall_changes(firewall, changes)):
        forecast().announce(change)
    if changes or not firewall.in_force:
        yield _switch(firewall, rules, ssh, ours, tables, bool(adopted))
    yield RiskyCommand(
        *_quoted(confirm_command(ssh)),
        timeout=CONFIRM_SECONDS,
        complaint=SHUT_COMPLAINT,
        reconnect=True,
        fallback=START_ROLLBACK,
    )


def rule_changes(firewall: Firewall, texts: Mapping[Family, str], ours: bool) -> list[Change]:
    """Return what becomes of single rules, each named once for both families."""
    changes = (
        change for family, text in texts.items() for change in _family_changes(firewall.families[family], text, ours)
    )
    return list(dict.fromkeys(changes))


def _family_changes(rules_now: Rules, text: str, ours: bool) -> Iterator[Change]:
    target, written, loaded = (
        rule_names(text.splitlines()),
        rule_names(rules_now.user_rules.splitlines()),
        rule_names(rules_now.kernel),
    )
    present = loaded if rules_now.in_force and not rules_now.is_unsupported else written
    for rule in sorted(target - present):
        why = "the kernel does not have it" if rule in written else ""
        yield Change("rule", rule, "create", why, becomes=_state_of(rule))
    # The kernel spells an unusual rule otherwise than ufw does: it is named once.
    removed = present - target
    removed -= {rule for rule in removed - written if " from " not in rule and written - target}
    added = {rule_name(line) for line in unmanaged_rules(rules_now.kernel, ours)}
    for rule in sorted(removed | added):
        why = "" if rule in written else "the kernel has it, ufw does not know it" if ours else "the owner's"
        lets_in = " from " in rule or (ours and rule.endswith("ACCEPT"))
        effect = "who is connected stays, nobody new gets in" if lets_in else ""
        yield Change("rule", rule, "remove", why, was=_state_of(rule), effect=effect)


def _state_of(rule: str) -> str:
    """Return what becomes of what it is about; an unusual rule says so itself."""
    return "let in" if " from " in rule else "in force"


def _table_removal(table: Table) -> Change:
    return Change("rules", f"nftables table {table}", "remove", "ufw's rules take its place", was="in force")


def _firewall_changes(firewall: Firewall, changes: list[Change]) -> Iterator[Change]:
    if not firewall.in_force:
        effect = "what no rule lets in is dropped; the old rules come back unless a new SSH connection gets through"
        why = "the kernel does not filter by them"
        yield Change("firewall", "ufw", "start", why, was="not in force", becomes="in force", effect=effect)
    elif firewall.unconfirmed and not changes:
        why = "an earlier run was cut short"
        yield Change("firewall", "ufw", "confirm", why, was="about to be taken back", becomes="in force")


def _switch(
    firewall: Firewall, texts: Mapping[Family, str], ssh: str, ours: bool, tables: tuple[Table, ...], back_up: bool
) -> StringCommand:
    files = {4: "new", 6: "new6"}
    removed_tables = {(table.family, table.name) for table in tables}
    iptables_tables = {
        4: ("ip", "filter"),
        6: ("ip6", "filter"),
    }  # what iptables says of it is not how it can be loaded
    sections = []
    for family, rules in firewall.families.items():
        base = replace(rules, kernel=()) if iptables_tables[family] in removed_tables else rules
        sections.append(f"== {files[family]}\n{compose_table(base, texts[family], family, ours)}")
    words = switch_command(ssh, tables, back_up_firewall(RULES_SUBJECT, firewall.rivals) if back_up else "")
    return RiskyCommand(
        *_quoted(words), timeout=SWITCH_SECONDS, complaint=CUT_COMPLAINT, _stdin="".join([*sections, "== end\n"])
    )


def _quoted(words: Iterable[str]) -> Iterator[QuoteString]:
    return (QuoteString(word) for word in words)
