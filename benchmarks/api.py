"""Patients per second that the bundled API reads, compared with a plain hello from the database, in one run.

python benchmarks/api.py [--seconds 10] [--rounds 3]: through Nginx with TLS and without rate limits, against
PostgreSQL, PgBouncer and Redis on loopback, all started here. Needs wrk and nginx. Exit 1 below the floor.
"""

import argparse
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "healthv1_api" / "tests"))

from running.cache import make_redis  # noqa: E402 - found by the line above
from running.clinic import Clinic  # noqa: E402
from running.cluster import make_cluster  # noqa: E402
from running.daemon import LOOPBACK, answers, free_port  # noqa: E402
from running.database import make_database, make_roles  # noqa: E402
from running.environment import variables  # noqa: E402
from running.installed import installed_command  # noqa: E402
from running.service import Service  # noqa: E402

FLOOR = 0.6
CONNECTIONS = 32
PASSWORDS = {name: secrets.token_urlsafe(16) for name in ("INITIAL_ADMIN_PASSWORD", "VERIFICATION_PASSWORD")}
NGINX = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    upstream api {{ server 127.0.0.1:{api}; keepalive 64; }}
    upstream plain {{ server 127.0.0.1:{hello}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {directory}/edge.pem;
        ssl_certificate_key {directory}/edge.key;
        keepalive_requests 1000000;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Real-IP $remote_addr;
        location /v1/ {{ proxy_pass http://api; }}
        location /hello {{ proxy_pass http://plain; }}
    }}
}}
"""


def wrk(url: str, seconds: int, *headers: str) -> tuple[float, str]:
    """Return requests per second, and the latencies as wrk words them. Raises when any request failed."""
    given = [part for header in headers for part in ("-H", header)]
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *given, url]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    latencies = re.findall(r"^\s+(50|90|99)%\s+(\S+)", said, re.MULTILINE)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), "  ".join(f"p{p} {t}" for p, t in latencies)


def started(stack: ExitStack, directory: Path) -> tuple[Clinic, int]:
    cluster, command = make_cluster(directory), installed_command()
    stack.callback(cluster.postgresql.stop)
    cluster.start()
    make_roles(cluster)
    stack.callback(cluster.pgbouncer.stop)
    cluster.pgbouncer.start()
    redis, url = make_redis(directory)
    stack.callback(redis.stop)
    redis.start()
    database = make_database(cluster)
    env = variables(database, url)
    for verb in (["migrate", "run"], ["seed"]):
        subprocess.run([command, *verb], env={**env, **PASSWORDS}, check=True, stdout=subprocess.DEVNULL)
    # The other folder is the database's own: a service without privilege may not enter it.
    own = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    service = Service([command], env, own)
    stack.callback(service.stop)
    service.start().becomes(200)
    return Clinic(service, database, PASSWORDS), plain(stack, command.parent / "python", env["DATABASE_URL"])


def plain(stack: ExitStack, python: Path, database: str) -> int:
    port = free_port()
    env = {"DATABASE_URL": database, "API_SERVICE_PORT": str(port)}
    process = subprocess.Popen([python, ROOT / "benchmarks" / "hello.py"], env=env)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    while not answers(port):
        time.sleep(0.05)
    return port


def edge(stack: ExitStack, directory: Path, api: int, hello: int) -> int:
    port = free_port()
    certificate = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    files = [
        "-keyout",
        f"{directory}/edge.key",
        "-out",
        f"{directory}/edge.pem",
        "-subj",
        "/CN=localhost",
        "-days",
        "1",
    ]
    subprocess.run([*certificate, *files], check=True, capture_output=True)
    configuration = directory / "nginx.conf"
    configuration.write_text(NGINX.format(directory=directory, api=api, hello=hello, port=port))
    nginx = subprocess.Popen(
        [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(configuration), "-p", str(directory)]
    )
    stack.callback(nginx.wait)
    stack.callback(nginx.terminate)
    while nginx.poll() is None and not answers(port):
        time.sleep(0.05)
    return port


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="healthv1-bench-") as temporary:
        clinic, hello_port = started(stack, Path(temporary))
        port = edge(stack, Path(temporary), clinic.service.port, hello_port)
        path = clinic.verifier.new_patient().headers["location"]
        bearer = f"Authorization: Bearer {clinic.verifier.tokens['access_token']}"
        ratios = []
        for _ in range(arguments.rounds):
            hello, told = wrk(f"https://{LOOPBACK}:{port}/hello", arguments.seconds)
            print(f"hello          {hello:7.0f} requests/s  {told}")
            read, told = wrk(f"https://{LOOPBACK}:{port}{path}", arguments.seconds, bearer)
            print(f"patient read   {read:7.0f} requests/s  {told}  ratio {read / hello:.2f}")
            ratios.append(read / hello)
    middle = sorted(ratios)[len(ratios) // 2]
    print(f"ratio {middle:.2f}, at least {FLOOR} is wanted")
    return 0 if middle >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
