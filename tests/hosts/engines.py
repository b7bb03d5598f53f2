"""OpenBao's engines beside the one that keeps values, set up by its root past our own code, and taken away again."""

import time
from contextlib import contextmanager

import requests

POLICY = """path "health-v1/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }
path "ssh/sign/health-v1" { capabilities = ["update"] }
path "database/config/health-v1" { capabilities = ["create", "read", "update"] }
path "database/roles/health-v1" { capabilities = ["create", "read", "update"] }
path "database/creds/health-v1" { capabilities = ["read"] }
path "sys/leases/revoke/database/creds/health-v1/*" { capabilities = ["update"] }
"""
NARROW = 'path "health-v1/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }'


def as_root(world, method, path, **data):
    token = (world.sandbox.server("openbao") / "root_token").read_text()
    url = f"{world.running.openbao.address}/v1/{path}"
    answer = requests.request(method, url, json=data or None, headers={"X-Vault-Token": token}, timeout=20)
    assert answer.ok or answer.status_code == 404, answer.text
    return answer.json() if answer.content else None


@contextmanager
def engine(world, kind):
    """Enable an engine, and let the token that deploys use what it has to."""
    as_root(world, "POST", f"sys/mounts/{kind}", type=kind)
    as_root(world, "PUT", "sys/policies/acl/deploys", policy=POLICY)
    try:
        yield
    finally:
        as_root(world, "PUT", "sys/policies/acl/deploys", policy=NARROW)
        as_root(world, "PUT", f"sys/leases/revoke-force/{kind}")
        as_root(world, "DELETE", f"sys/mounts/{kind}")


def let_sign(world, user="admin", **role):
    """Give the SSH engine a key of its own, and a role that signs for `user` alone."""
    as_root(world, "POST", "ssh/config/ca", generate_signing_key=True, key_type="ed25519")
    wanted = {"key_type": "ca", "allow_user_certificates": True, "allowed_users": user, "max_ttl": "1h"}
    as_root(world, "POST", "ssh/roles/health-v1", **{**wanted, "default_extensions": {"permit-pty": ""}, **role})


def until(test, seconds=20):
    for _ in range(seconds * 5):
        if test():
            return True
        time.sleep(0.2)
    return False
