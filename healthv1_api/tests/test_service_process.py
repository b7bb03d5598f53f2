"""The process keeps its word to systemd, its ports to itself, and finishes what it began."""

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

from running.daemon import LOOPBACK, answers, free_port
from running.service import UNPRIVILEGED


def test_metrics_listen_on_one_loopback_address_only(service):
    assert service.request("/metrics", port=service.metrics_port).status == 200
    with socket.socket() as elsewhere:
        # Also this machine: it would answer if metrics listened on every address.
        assert elsewhere.connect_ex(("127.0.0.2", service.metrics_port)) != 0


def test_a_taken_port_fails_loudly(service, run):
    refused = run("serve", "--port", str(service.port), "--metrics-port", str(free_port()))
    assert refused.returncode == 1
    assert f"API_SERVICE_PORT: cannot listen on 127.0.0.1 port {service.port}: Address" in refused.stderr


def test_a_taken_metrics_port_fails_loudly(service, run):
    refused = run("serve", "--port", str(free_port()), "--metrics-port", str(service.metrics_port))
    assert refused.returncode == 1
    assert f"PROMETHEUS_METRICS_PORT: cannot listen on 127.0.0.1 port {service.metrics_port}" in refused.stderr
    assert "Hint:  give each instance a metrics port of its own with --metrics-port." in refused.stderr


def test_sigterm_finishes_the_running_request_and_takes_no_new_one(migrated, service):
    service.becomes(200)
    holder = migrated.session("LOCK TABLE health.users")
    answers_given, stranger = [], {"username": "stranger", "password": "wrong-password"}

    def login():
        answers_given.append(service.request("/v1/auth/login", "POST", body=stranger))

    running = threading.Thread(target=login)
    running.start()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while migrated.sql(waiting) == "0":
        pass
    service.process.terminate()
    assert service.told_systemd() == "STOPPING=1"
    while answers(service.port):
        pass
    holder.communicate("ROLLBACK;")
    running.join()
    assert [answer.status for answer in answers_given] == [401]
    assert service.process.wait(timeout=5) == 0
    assert all(line["level"] in {"info", "warning"} for line in service.log)


def test_an_idle_connection_does_not_hold_up_the_stop(service):
    with socket.create_connection((LOOPBACK, service.port)) as idle:
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(1024).startswith(b"HTTP/1.1 200")
        service.process.terminate()
        assert service.process.wait(timeout=3) == 0


def test_a_stop_is_told_before_anything_is_refused(migrated, service):
    service.becomes(200)
    service.process.terminate()
    answer = service.becomes(503, within=1)
    assert (answer.status, answer.document["status"]) == (503, "draining")
    assert answer.headers["connection"] == "close"
    assert service.request("/health").status == 200
    assert service.process.wait(timeout=5) == 0


def test_no_request_is_cut_by_a_stop_under_load(migrated, serving):
    leaving, staying = serving(), serving()
    for service in (leaving, staying):
        service.becomes(200)
    failed, answered, over = [], [], threading.Event()

    def load(service):
        while not over.is_set():
            try:
                answered.append(service.request("/health/ready").status)
            except ConnectionRefusedError:  # noqa: PERF203 - each request by itself
                return  # said, not cut
            except OSError as error:
                failed.append((service is leaving, error))

    threads = [threading.Thread(target=load, args=[service]) for service in (leaving, staying) for _ in range(4)]
    for thread in threads:
        thread.start()
    leaving.process.terminate()
    assert leaving.process.wait(timeout=10) == 0
    over.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(answered) > 20
    assert set(answered) <= {200, 503}


def test_a_crash_leaves_no_memory_behind(service):
    limits = Path(f"/proc/{service.process.pid}/limits").read_text().splitlines()
    assert next(line.split()[4:6] for line in limits if line.startswith("Max core file size")) == ["0", "0"]
    service.process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(service.process.pid, 0)
    service.process.returncode = -os.WTERMSIG(status)
    assert (os.WTERMSIG(status), os.WCOREDUMP(status)) == (signal.SIGABRT, False)


def test_no_process_of_the_same_account_reads_its_secrets(service):
    files = [f"/proc/{pid}/environ" for pid in ("self", service.process.pid)]
    mine, its = (subprocess.run([*UNPRIVILEGED, "cat", file], capture_output=True, check=False) for file in files)
    assert mine.stdout
    assert (its.stdout, its.returncode) == (b"", 1)
    assert "process_open_fds" in service.request("/metrics", port=service.metrics_port).text  # it sees itself
