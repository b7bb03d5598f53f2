"""The fingerprints of the master keys on a host. No key leaves the host."""

from __future__ import annotations

import shlex

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from deploys.cluster import Cluster
from deploys.facts.cluster import ClusterAnswer, parse_answer, query_script

_STORED_QUERY = """select json_build_object('master', master) from health.data_keys group by master order by master"""
# HKDF-SHA256 (RFC 5869) without salt, as the API derives the fingerprint that it stores with each wrapped key.
_FINGERPRINT_SCRIPT = """import base64, binascii, hmac, sys
known = dict(line.rstrip("\\n").split("=", 1) for line in open(sys.argv[1]) if "=" in line)
for name in ("MASTER_KEY", "MASTER_KEY_ALSO_ACCEPTED"):
    try:
        key = base64.b64decode(known[name])
    except (KeyError, binascii.Error):
        continue
    extracted = hmac.new(bytes(32), key, "sha256").digest()
    print(hmac.new(extracted, b"healthv1 fingerprint\\1", "sha256").hexdigest()[:16])"""


class StoredMasterKeys(FactBase[ClusterAnswer]):
    """One row per master key that wraps a stored data key."""

    default = ClusterAnswer

    def command(self, cluster: Cluster, database: str) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(query_script(cluster, cluster.sql(_STORED_QUERY, database))))

    def process(self, output: list[str]) -> ClusterAnswer:
        return parse_answer(output)


class ConfiguredMasterKeys(FactBase[list[str]]):
    """The fingerprints of the keys in an environment file, the active one first; empty without the file."""

    default = list

    def command(self, path: str) -> str:
        return f"python3 -c {shlex.quote(_FINGERPRINT_SCRIPT)} {shlex.quote(path)} 2>/dev/null || true"

    def process(self, output: list[str]) -> list[str]:
        return output
