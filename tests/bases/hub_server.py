"""A small Hugging Face hub on this machine: what huggingface_hub asks for when it fetches a checkpoint, and its errors.

`hub()` serves `repos`, name -> Repo. Weights are redirected to another host name, as the real hub sends them to its
CDN. Every request is noted as (method, path, headers).
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0de"


@dataclass
class Repo:
    """files: path -> content. readers: None is public, else the tokens that may read. gated: whether the licence has
    to be accepted. sizes: sizes to claim instead of the true ones. fails: path -> how often a download breaks off
    half-way (negative: the CDN answers 500). echo: answer 403 and repeat the token, as a careless proxy would.
    """

    files: dict[str, bytes]
    commit: str = COMMIT
    branches: tuple[str, ...] = ("main",)
    readers: tuple[str, ...] | None = None
    gated: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    fails: dict[str, int] = field(default_factory=dict)
    echo: bool = False

    def size(self, path: str) -> int:
        return self.sizes.get(path, len(self.files[path]))


@dataclass
class Hub:
    url: str
    repos: dict[str, Repo]
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def asked(self, method: str, ending: str = "") -> list[str]:
        """Paths of the requests with this method whose path ends so."""
        return [path for m, path, _ in self.requests if m == method and path.endswith(ending)]


@contextmanager
def hub(**repos: Repo) -> Iterator[Hub]:
    """Serve `me/{name}` for each repository."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.hub = Hub(f"http://127.0.0.1:{server.server_port}", {f"me/{name}": repo for name, repo in repos.items()})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.server.hub.requests.append((self.command, path, {k.lower(): v for k, v in self.headers.items()}))
        if path.startswith("/cdn/"):
            return self.cdn(path.removeprefix("/cdn/"))
        parts = path.removeprefix("/api/models").strip("/").split("/")
        if len(parts) < 4:  # the library also asks for a list of AI agents
            return self.refuse(404, None, "Not found")
        owner, name, kind, revision, *rest = parts
        repo = self.server.hub.repos.get(f"{owner}/{name}")
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        if repo is None or (repo.readers is not None and not repo.gated and token not in repo.readers):
            return self.refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        if repo.echo:
            return self.refuse(403, None, f"Forbidden for Bearer {token}")
        if token == "hf_expired":
            return self.refuse(401, None, "Invalid credentials in Authorization header")
        if revision not in (*repo.branches, repo.commit):
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if kind == "revision":
            siblings = [{"rfilename": file, "size": repo.size(file)} for file in repo.files]
            return self.answer(json.dumps({"id": f"{owner}/{name}", "sha": repo.commit, "siblings": siblings}).encode())
        if kind == "tree":
            return self.answer(json.dumps([entry(repo, file) for file in repo.files]).encode())
        # the listing of a gated repository is public, its files are not
        if repo.gated and token not in repo.readers:
            return self.refuse(403 if token else 401, "GatedRepo", f"Access to model {owner}/{name} is restricted.")
        self.resolve(f"{owner}/{name}", repo, "/".join(rest))

    def resolve(self, name: str, repo: Repo, file: str):
        if file not in repo.files:
            return self.refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": repo.commit})
        headers = {"ETag": f'"{digest(repo.files[file])}"', "X-Repo-Commit": repo.commit}
        if not file.endswith(".safetensors"):
            return self.answer(repo.files[file], headers=headers)
        elsewhere = self.server.hub.url.replace("127.0.0.1", "localhost")
        linked = {"X-Linked-ETag": headers["ETag"], "X-Linked-Size": str(repo.size(file))}
        self.answer(b"", 302, headers | linked | {"Location": f"{elsewhere}/cdn/{name}/{file}"})

    def cdn(self, path: str):
        owner, name, file = path.split("/", 2)
        repo = self.server.hub.repos[f"{owner}/{name}"]
        content, first = repo.files[file], 0
        if wanted := self.headers.get("range"):
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
        fails = repo.fails.get(file, 0)
        if fails < 0:
            return self.refuse(500, None, "Internal error")
        if fails:
            repo.fails[file] -= 1
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if fails:  # half of it, and the line goes dead
            self.wfile.write(content[first : (first + len(content)) // 2])
            self.close_connection = True
        else:
            self.wfile.write(content[first:])

    def refuse(self, status: int, code: str | None, message: str, headers: dict[str, str] | None = None):
        found = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.answer(json.dumps({"error": message}).encode(), status, found | (headers or {}))

    def answer(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(repo: Repo, file: str) -> dict:
    """A line of the listing; weights are in large-file storage, and in no Xet one."""
    found = {"type": "file", "path": file, "size": repo.size(file), "oid": digest(file.encode())[:40]}
    if file.endswith(".safetensors"):
        found["lfs"] = {"oid": digest(repo.files[file]), "size": repo.size(file), "pointerSize": 134}
    return found
