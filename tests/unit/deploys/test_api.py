"""Whether an instance is ready is asked with what every host has, and a refusal says why."""

import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from deploys.api.commands import is_ready


@pytest.fixture
def instance():
    """An instance that answers with the code and text that it is given; yields its port and what to set."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer["code"] if self.path == "/health/ready" else 404)
            self.end_headers()
            self.wfile.write(answer["text"].encode())

        def log_message(self, *_):
            pass

    answer = {"code": 200, "text": "{}"}
    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, answer
    server.shutdown()
    server.server_close()


def _asked(port):
    done = subprocess.run(["sh", "-c", is_ready(port)], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_an_instance_that_says_so_is_ready(instance):
    assert _asked(instance[0]) == (0, "")


def test_one_that_is_not_says_what_it_lacks(instance):
    port, answer = instance
    answer.update(code=503, text='{"failing": ["database"]}')
    assert _asked(port) == (1, 'HTTP Error 503: Service Unavailable: {"failing": ["database"]}\n')


def test_one_that_is_not_there_is_refused_in_a_line(instance):
    code, said = _asked(1)
    assert code == 1
    assert said.count("\n") == 1
    assert "refused" in said
