"""The deployed API in use: the verification user asks with curl through Nginx, and psql looks from below."""

import json
import secrets
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from healthv1.sandbox.reach import ssh_command
from tests.hosts.world import World, quoted

PSQL = "cd / && runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 health_v1_prod"


@dataclass
class Clinic:
    world: World

    def login(self, username, password):
        """A 429 is waited out for as long as it tells: the tests before may have used up the rate."""
        credentials = json.dumps({"username": username, "password": password})
        return self._curl("POST", "/v1/auth/login", credentials, "--retry", "2")

    @cached_property
    def token(self):
        status, body = self.login("verification", self.world.kept["verification_password"])
        assert status == 200, body
        return json.loads(body)["access_token"]

    def ask(self, method, path, body=None, *arguments):
        """Return the status and the text of the answer; a body that is no text is sent as JSON."""
        body = body if body is None or isinstance(body, str) else json.dumps(body)
        return self._curl(method, path, body, "-H", f"Authorization: Bearer {self.token}", *arguments)

    def _curl(self, method, path, body, *arguments):
        sent = () if body is None else ("-H", "Content-Type: application/json", "--data-binary", body)
        answer = self.world.curl("-X", method, "-w", "\n%{http_code}", *sent, *arguments, url=path)
        text, _, status = answer.stdout.rpartition("\n")
        assert answer.returncode == 0, answer.stderr
        return int(status), text

    @contextmanager
    def patient(self, **known):
        """Yield the id of a new patient, who is gone afterwards with all that hangs on him."""
        name = secrets.token_hex(6)
        plain = {"identifier": name, "given_name": "Given", "family_name": "Family", "birth_date": "1980-02-29"}
        status, body = self.ask("POST", "/v1/patients", {**plain, **known})
        assert status == 201, body
        row = json.loads(body)["id"]
        try:
            yield row
        finally:
            self.sql(f"DELETE FROM health.worklist WHERE patient_id = '{row}'")
            self.sql(f"DELETE FROM health.patients WHERE id = '{row}'")

    def sql(self, statement):
        """Have PostgreSQL's superuser run it on the host."""
        return self.world.shell(f"{PSQL} -c {quoted(statement)}").strip()

    @contextmanager
    def held(self, row):
        """Nobody writes this patient's row meanwhile."""
        argv = ssh_command(self.world.running.hosts[0], f"sudo sh -c {quoted(PSQL)}")
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            try:
                holder.stdin.write(f"BEGIN; SELECT 'held' FROM health.patients WHERE id = '{row}' FOR UPDATE;\n")
                holder.stdin.flush()
                assert holder.stdout.readline() == "held\n"
                yield
            finally:
                holder.communicate("ROLLBACK;\n", timeout=10)
