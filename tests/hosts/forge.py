"""What the pipelines of docs/ci ask of GitHub and GitLab: comments, which merge a commit came from, and its plan.

Neither can be had here; this answers the same requests with the same documents, as their API references give them.
"""

import io
import json
import re
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMENTS = r"/repos/team/ours/issues/7/comments|/projects/5/merge_requests/7/notes"
COMMENT = r"(?:/repos/team/ours/issues/comments|/projects/5/merge_requests/7/notes)/(\d+)"
MERGED = r"/repos/team/ours/commits/\w+/pulls|/projects/5/repository/commits/\w+/merge_requests"
ARTIFACTS = r"/repos/team/ours/actions/artifacts\?name=plan-headsha"
ARCHIVE = r"/archive"
RAW = r"/projects/5/jobs/artifacts/refs%2Fmerge-requests%2F7%2Fhead/raw/plan\.json\?job=plan"
TOKEN = "forge-token"


class Forge:
    def __init__(self):
        self.comments = {}
        self.plan = b""
        self.address = ""

    def answer(self, method, path, body):
        """Return the document for a request, or None when there is no such thing."""
        if re.fullmatch(COMMENTS, path.partition("?")[0]):
            return self._listed() if method == "GET" else self._commented(len(self.comments) + 1, body)
        if (found := re.fullmatch(COMMENT, path)) and method in {"PATCH", "PUT"}:
            return self._commented(int(found[1]), body)
        if re.fullmatch(MERGED, path):
            return [{"iid": 7, "head": {"sha": "headsha"}}]
        if re.fullmatch(ARTIFACTS, path):
            return {"artifacts": [{"archive_download_url": f"{self.address}/archive"}]}
        return {ARCHIVE: self._archive, RAW: lambda: self.plan}.get(
            next((one for one in (ARCHIVE, RAW) if re.fullmatch(one, path)), ""), lambda: None
        )()

    def _listed(self):
        url = f"{self.address}/repos/team/ours/issues/comments"
        return [{"id": number, "url": f"{url}/{number}", "body": body} for number, body in self.comments.items()]

    def _commented(self, number, body):
        self.comments[number] = json.loads(body)["body"]
        return {"id": number}

    def _archive(self):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("plan.json", self.plan)
        return made.getvalue()


@contextmanager
def listening():
    """Yield a forge that answers on this machine alone."""
    forge = Forge()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(forge))
    forge.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()


def _handler(forge):
    class Handler(BaseHTTPRequestHandler):
        def _any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            authorised = TOKEN in (self.headers.get("Authorization", "") + self.headers.get("PRIVATE-TOKEN", ""))
            answer = forge.answer(self.command, self.path, body) if authorised else None
            self.send_response(401 if not authorised else 404 if answer is None else 200)
            self.end_headers()
            if answer is not None:
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = do_PUT = _any  # noqa: N815 - the server's names

        def log_message(self, *_):
            """Say nothing."""

    return Handler
