"""Every use of pyinfra 3.10's internals, with the assumptions that it rests on: one row for each.

The list is complete: a test searches healthv1/hosts and deploys for uses without a row.

No module of pyinfra's is imported here: this is also read where one of them cannot be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from healthv1.hosts import pyinfra_probes as probes
from healthv1.hosts.assumptions import Assumption, Behaves, ClosesOver, Exists, HasSignature, UsesNames

WRITTEN_FOR = "3.10"


@dataclass(frozen=True)
class Reach:
    what: str
    assumes: tuple[Assumption, ...]
    replaces: tuple[str, ...] = ()
    """What we put into pyinfra: `module:name`, and the names of attributes that are set on its objects."""
    overrides: tuple[str, ...] = ()
    """What classes of ours do otherwise than pyinfra's that they are made from."""


API, SSH = "pyinfra.api", "pyinfra.connectors.ssh:SSHConnector"

REACHED = (
    Reach(
        "It is the pyinfra that all of this was read from",
        (
            Behaves(
                "pyinfra.version:__version__",
                f"begin with {WRITTEN_FOR}",
                lambda found: found.startswith(f"{WRITTEN_FOR}."),
            ),
        ),
    ),
    Reach(
        "What pyinfra says is heard with --debug alone",
        (Behaves("pyinfra:logger", "bear the name pyinfra", lambda it: it.name == "pyinfra"),),
    ),
    Reach(
        "Operations are told apart by the lines that call them, found without reading the sources around each",
        (
            Exists("pyinfra:is_cli"),
            Exists(f"{API}.util:stack"),
            Exists(f"{API}.util:getframeinfo"),
            UsesNames(f"{API}.util:get_operation_order_from_stack", "stack getframeinfo filename lineno is_cli"),
            UsesNames(f"{API}.util:get_operation_order_from_stack", "current_deploy_filename"),
            UsesNames(f"{API}.operation:solve_operation_consistency", "is_cli get_operation_order_from_stack"),
        ),
        (f"{API}.util:stack", f"{API}.util:getframeinfo", "pyinfra:is_cli", "current_deploy_filename"),
    ),
    Reach(
        "What all operations can be given is worked out once",
        (
            HasSignature(f"{API}.arguments:all_global_arguments", ""),
            UsesNames(f"{API}.arguments:pop_global_arguments", "all_global_arguments"),
        ),
        (f"{API}.arguments:all_global_arguments",),
    ),
    Reach(
        "Of group_data those files are read whose groups the inventory has, and every fault in them is told",
        (
            Behaves(
                "pyinfra_cli.inventory:_get_group_data",
                "take a folder or a file, and nothing else",
                probes.takes_one_argument,
            ),
            HasSignature(
                "pyinfra_cli.inventory:make_inventory_from_files",
                "inventory_filename, override_data, cwd, group_data_directories",
            ),
            UsesNames("pyinfra_cli.inventory:make_inventory_from_files", "_get_group_data ctx_inventory"),
            HasSignature("pyinfra_cli.util:exec_file", "filename, return_locals, is_deploy_code"),
            Behaves(
                "pyinfra_cli.exceptions:UnexpectedExternalError",
                "have the exception and the filename",
                probes.carries_cause,
            ),
        ),
        ("pyinfra_cli.inventory:_get_group_data",),
    ),
    Reach(
        "A host's data is merged once",
        (
            HasSignature(f"{API}.host:HostData.__init__", "self, host, *datas"),
            Behaves(
                f"{API}.host:HostData", "keep its sources in datas, first what is set in a deploy", probes.keeps_datas
            ),
            Behaves(f"{API}.host:Host", "read what a deploy was given last", probes.reads_deploy_data_last),
        ),
        ("data",),
        ("__init__", "__getattr__"),
    ),
    Reach(
        "A host that the inventory does not name is added to it",
        (
            HasSignature(f"{API}.host:Host.__init__", "self, name, inventory, groups, connector_cls"),
            UsesNames(f"{API}.inventory:Inventory.__iter__", "hosts"),
            UsesNames(f"{API}.inventory:Inventory.get_host", "hosts"),
            UsesNames(f"{API}.inventory:Inventory.get_host_data", "host_data"),
        ),
    ),
    Reach(
        "Hosts over SSH are spoken to by our connector",
        (
            Behaves(SSH, "stand for ssh in pyinfra's list of connectors", probes.reaches_hosts_over_ssh),
            Behaves(SSH, "declare the keys of its data that we read and set", probes.declares_keys),
            Exists(f"{SSH}.handles_execution"),
            UsesNames(f"{API}.host:Host.init", "connector_cls connector"),
            HasSignature(f"{API}.host:Host.connect", "self, reason, show_errors, raise_exceptions"),
            UsesNames(f"{API}.host:Host.connect", "connector connect ConnectError"),
            UsesNames(f"{API}.host:Host.disconnect", "connector connected"),
            UsesNames(f"{API}.host:Host.run_shell_command", "connector run_shell_command"),
            UsesNames(f"{API}.host:Host.put_file", "connector put_file"),
            HasSignature(f"{SSH}.__init__", "self, state, host"),
            UsesNames(f"{SSH}.__init__", "data"),
            HasSignature(f"{SSH}.run_shell_command", "self, command, print_output, print_input, **arguments"),
            Exists(f"{SSH}.put_file"),
            HasSignature(f"{SSH}.disconnect", "self"),
        ),
        ("connector_cls",),
        ("__init__", "handles_execution", "run_shell_command", "put_file", "disconnect"),
    ),
    Reach(
        "A host is signed in to with the key that is meant for it",
        (
            UsesNames(f"{SSH}.connect", "_connect"),
            HasSignature(f"{SSH}._connect", "self"),
            UsesNames(f"{SSH}._connect", "make_paramiko_kwargs client AuthenticationException raise_connect_error"),
            UsesNames("pyinfra.connectors.ssh_util:raise_connect_error", "ConnectError"),
            HasSignature(f"{SSH}.make_paramiko_kwargs", "self"),
            UsesNames(f"{SSH}.make_paramiko_kwargs", "data"),
            Exists(f"{SSH}.client"),
            UsesNames("pyinfra.connectors.sshuserclient.client:SSHClient.connect", "_ssh_config"),
        ),
        ("client", "data"),
        ("_connect", "make_paramiko_kwargs"),
    ),
    Reach(
        "A command goes over our line as pyinfra would send it",
        (
            HasSignature(
                "pyinfra.connectors.util:make_unix_command_for_host", "state, host, command, **command_arguments"
            ),
            Behaves(
                "pyinfra.connectors.util:extract_control_arguments",
                "tell what is for the connector, as it did, from what is for the shell",
                probes.keeps_control_arguments,
            ),
            HasSignature(
                "pyinfra.connectors.util:read_output_buffers",
                "stdout_buffer, stderr_buffer, timeout, print_output, print_prefix",
            ),
            HasSignature("pyinfra.connectors.util:OutputLine", "buffer_name, line"),
            HasSignature("pyinfra.connectors.util:CommandOutput", "combined_lines"),
        ),
    ),
    Reach(
        "What a fact asks is told from what may change the host, and only we remember what it said",
        (
            HasSignature(f"{API}.host:Host.get_fact", "self, name_or_cls, *args, **kwargs"),
            Behaves(f"{API}.facts:get_fact", "ask the host anew whenever it is called", probes.asks_anew),
            UsesNames(f"{API}.facts:_get_fact", "fail_hosts"),
            UsesNames(f"{API}.state:State.fail_hosts", "failed_hosts"),
        ),
        ("get_fact",),
    ),
    Reach(
        "What is done for one host means that host alone, while others are being worked on",
        (
            Behaves("pyinfra.context:ctx_host", "belong to each greenlet alone", probes.is_greenlet_local),
            Behaves("pyinfra.context:ctx_config", "belong to each greenlet alone", probes.is_greenlet_local),
            Exists("pyinfra.context:ctx_state.get"),
            Exists("pyinfra.context:ctx_inventory.get"),
        ),
    ),
    Reach(
        "While the site is read no operation looks for changes: they are asked all at once later",
        (
            HasSignature(f"{API}.state:State.__init__", "self, inventory, config, check_for_changes, **kwargs"),
            HasSignature(f"{API}.state:State.init", "self, inventory, config, initial_limit"),
            UsesNames(f"{API}.operation:_wrap_operation", "should_check_for_changes"),
            UsesNames(f"{API}.operation:OperationMeta.will_change", "command_generator"),
            UsesNames(f"{API}.state:State.is_host_in_limit", "limit_hosts"),
        ),
        ("cwd",),
    ),
    Reach(
        "What an operation was given is read from what pyinfra closes over",
        (ClosesOver(f"{API}.operation:_wrap_operation", "command_generator", "args func kwargs"),),
    ),
    Reach(
        "What runs is what the plan named: each operation is watched while it does",
        (
            HasSignature(f"{API}.operations:run_host_op", "state, host, op_hash"),
            UsesNames(f"{API}.operations:run_host_op", "_run_host_op"),
            UsesNames(f"{API}.operations:_run_host_op", "get_op_data_for_host command_generator execute set_complete"),
            UsesNames(f"{API}.state:State.get_op_data_for_host", "ops"),
            HasSignature(
                f"{API}.state:StateOperationHostData",
                "command_generator, global_arguments, operation_meta, parent_op_hash",
            ),
            UsesNames(f"{API}.operation:_wrap_operation", "StateOperationHostData set_op_data_for_host is_executing"),
            HasSignature(f"{API}.command:FunctionCommand.__init__", "self, function, args, func_kwargs, **kwargs"),
            UsesNames(f"{API}.command:FunctionCommand.execute", "function"),
            UsesNames(f"{API}.operation:OperationMeta.is_complete", "_success"),
            UsesNames(f"{API}.operation:OperationMeta.did_succeed", "_success"),
        ),
        ("command_generator", "function", "is_executing"),
    ),
    Reach(
        "A plan names an operation by its deploy and its sentence, and runs them in their order",
        (
            Behaves(
                f"{API}.operation:generate_operation_name",
                "put a bar between deploy and sentence",
                probes.joins_with_bar,
            ),
            UsesNames(f"{API}.operation:ensure_shared_op_meta", "op_meta names"),
            UsesNames(f"{API}.state:State.get_op_order", "op_hash_order op_meta"),
            UsesNames(f"{API}.host:Host.deploy", "current_deploy_name"),
        ),
    ),
    Reach(
        "deploys/operations: the forecast and the claims of a host lie on pyinfra's host",
        (Behaves(f"{API}.host:Host", "keep attributes of ours, under free names", probes.keeps_attributes),),
    ),
    Reach(
        "deploys/operations/risky.py: a command that may cut its own connection off is waited for in its own way",
        (
            HasSignature(f"{API}.command:StringCommand.execute", "self, state, host, connector_arguments"),
            UsesNames(f"{API}.operations:_run_host_op", "StringCommand execute"),
            UsesNames(f"{API}.command:PyinfraCommand.__init__", "connector_arguments"),
        ),
        ("client",),
        ("__init__", "execute"),
    ),
)


def assumptions() -> Iterator[Assumption]:
    for reach in REACHED:
        yield from reach.assumes
