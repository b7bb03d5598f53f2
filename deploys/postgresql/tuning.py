"""PostgreSQL's memory, planner and log of changes, computed from what its host is made of (row G7 of the guide)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MIB, GIB = 2**20, 2**30
Parameters = Mapping[str, str]


@dataclass(frozen=True)
class MachineShape:
    """What tuning depends on."""

    memory: int
    """Bytes."""
    cores: int
    disk: int
    """Bytes."""
    rotational: bool


def memory_parameters(shape: MachineShape, max_connections: int) -> Parameters:
    """Return the guide's eleven parameters; a host like the guide's (8 GB, 100 GB SSD) gets the guide's values."""
    memory = nominal_memory(shape.memory)
    shared = memory // 4
    max_wal = _between(256 * MIB, shape.disk // 20, 4 * GIB, step=256 * MIB)
    return {
        "shared_buffers": _size(shared),
        "effective_cache_size": _size(memory * 3 // 4),
        "maintenance_work_mem": _size(_between(32 * MIB, memory // 16, 2 * GIB)),
        "checkpoint_completion_target": "0.9",
        "wal_buffers": _size(_between(MIB, shared // 32, 16 * MIB)),
        "default_statistics_target": "100",
        "random_page_cost": "4" if shape.rotational else "1.1",
        "effective_io_concurrency": "2" if shape.rotational else "200",
        # A query may use it several times over: six times each, for all at once, fits beside the shared buffers.
        "work_mem": _size(_between(4 * MIB, (memory - shared) // (6 * max_connections), GIB)),
        "min_wal_size": _size(max_wal // 4),
        "max_wal_size": _size(max_wal),
    }


def parallel_parameters(cores: int) -> Parameters:
    """Return how many workers share the cores: the pooler's connections already keep most of them busy."""
    helpers = str(min(4, cores // 2))
    return {
        "max_worker_processes": str(max(8, cores)),
        "max_parallel_workers": str(cores),
        "max_parallel_workers_per_gather": helpers,
        "max_parallel_maintenance_workers": helpers,
    }


def nominal_memory(memory: int) -> int:
    """Return the size a machine is sold as, in bytes: one of 8 GB shows 7.6 to 7.8 GiB."""
    return round(memory / GIB) * GIB or memory


def _between(minimum: int, value: int, maximum: int, step: int = MIB) -> int:
    return max(minimum, min(value // step * step, maximum))


def _size(number: int) -> str:
    return f"{number // GIB}GB" if number % GIB == 0 else f"{number // MIB}MB"
