"""One `healthv1` command in this process, and its cost: python -m benchmarks.counted FILE ARGUMENT…

Exits with the command's code. FILE then holds, as JSON, the seconds and the processor seconds of the command without
the process's start, its peak memory in bytes, and for each host the number of SSH channels and of rounds. A channel
opened while another one to the same host is open belongs to the same round: it costs no further network wait.
"""

# ruff: noqa: E402 - as in healthv1/__main__.py
from healthv1 import cooperation

cooperation.begin()

import json
import resource
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from paramiko import Channel, Transport

from healthv1.cli.main import main as command
from healthv1.hosts.connector import FastSSH

open_session = Transport.open_session
connect = FastSSH.connect


class Count:
    def __init__(self) -> None:
        self.hosts: dict[Transport, str] = {}
        self.channels: Counter[str] = Counter()
        self.rounds: Counter[str] = Counter()
        self._opening: Counter[str] = Counter()
        self._open: defaultdict[str, set[Channel]] = defaultdict(set)

    def opened(self, transport: Transport) -> Channel:
        host = self.hosts[transport]
        self._open[host] = {channel for channel in self._open[host] if not channel.exit_status_ready()}
        self.channels[host] += 1
        self.rounds[host] += not (self._open[host] or self._opening[host])
        self._opening[host] += 1
        try:
            channel = open_session(transport)
        finally:
            self._opening[host] -= 1
        self._open[host].add(channel)
        return channel


def counting() -> Count:
    count = Count()

    def connected(connector: FastSSH) -> None:
        connect(connector)
        count.hosts[connector.client.get_transport()] = connector.host.name

    FastSSH.connect = connected
    Transport.open_session = lambda transport, *_, **__: count.opened(transport)
    return count


def main() -> None:
    file, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    count, started, busy = counting(), time.monotonic(), time.process_time()
    try:
        command()
    finally:
        told = {
            "seconds": time.monotonic() - started,
            "processor": time.process_time() - busy,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "hosts": {
                host: {"channels": count.channels[host], "rounds": count.rounds[host]} for host in count.channels
            },
        }
        Path(file).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
