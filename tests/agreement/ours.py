"""Parallax itself: a coordinator and one agent on loopback, asked like an operator asks."""
import json, pathlib, subprocess, tempfile, time

import servers

VERSIONS = {0x0300: "SSL 3", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
INAPPROPRIATE_FALLBACK = {"alert": 86}


class Fleet:
    """A running coordinator and agent; ends with its block."""

    def __init__(self, programs):
        self.programs = programs.resolve()
        self.last_probe_seconds = self.last_audit_seconds = self.last_audit_connections = 0

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="parallax-agreement-fleet-")
        self.home = pathlib.Path(self.folder.name)
        listen, http, responder = (f"127.0.0.1:{servers.free_port()}" for _ in range(3))
        where = ["--listen", listen, "--advertise", listen, "--http", http, "--responder", responder]
        self.running = [self.start("parallax-coordinator", "serve", "--data-dir", self.home / "coordinator", *where)]
        self.wait(lambda: self.parallax("vantage", "list").returncode == 0)
        join = self.parallax("vantage", "token", "create", "--one-off").stdout.decode().strip()
        self.running.append(self.start("parallax-agent", "run", "--join", join, "--data-dir", self.home / "agent", "--name", "here", "--allow", "127.0.0.0/8"))
        self.wait(lambda: b"online" in self.parallax("vantage", "list").stdout)
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.terminate()
            process.wait()
        self.folder.cleanup()

    def start(self, program, *words):
        log = open(self.home / f"{program}.log", "wb")
        return subprocess.Popen([self.programs / program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def parallax(self, *words):
        return subprocess.run([self.programs / "parallax", "--context", self.home / "coordinator/admin.toml", *words], stdin=subprocess.DEVNULL, capture_output=True)

    def wait(self, is_so):
        end = time.monotonic() + 20
        while not is_so():
            if time.monotonic() > end:
                raise RuntimeError("the fleet does not come up")
            time.sleep(0.05)

    def audit(self, port):
        """Audits a server and returns the facts in the shape of `tools`."""
        began = time.monotonic()
        probe = self.parallax("probe", f"tls://{servers.NAME}:{port}@127.0.0.1", "--deep", "--profile", "modern", "-o", "json")
        self.last_probe_seconds = time.monotonic() - began
        round_ = json.loads(probe.stdout)["round"]
        attempts = json.loads(self.parallax("verdict", "explain", round_, "-o", "json").stdout)["attempts"]
        found = next(attempt["facts"]["audit"] for attempt in attempts if attempt["experiment"] == "audit")
        if found.get("stopped"):
            raise RuntimeError(f"the audit of port {port} was cut short: {found['stopped']}")
        self.last_audit_seconds, self.last_audit_connections = found["elapsed_us"] / 1e6, found["connections"]
        return facts(found)


def facts(audit):
    spoken = {VERSIONS[one["version"]]: one for one in audit["versions"] if one["answer"] == "hello"}
    names = set(spoken) | ({"SSL 2"} if (audit.get("ssl2") or {}).get("answer") == "hello" else set())
    told = {("versions",): frozenset(names)}
    for version, one in spoken.items():
        told["suites", version] = frozenset(one["suites"]["numbers"])
        told["groups", version] = frozenset(one["groups"]["numbers"])
        if one["suites"].get("server_order") is not None:
            told["server order", version] = one["suites"]["server_order"]
    features = audit.get("features") or {}
    told["compression",] = features.get("compression", 0) != 0
    told["secure renegotiation",] = features.get("renegotiation_info", False)
    told["extended master secret",] = features.get("extended_master_secret", False)
    told["fallback SCSV",] = features.get("fallback_scsv") == INAPPROPRIATE_FALLBACK
    sessions = audit["sessions"]
    for fact, field in (("ticket resumption", "tls12_ticket"), ("id resumption", "tls12_id")):
        if sessions.get(field):
            told[fact,] = sessions[field] == "resumed"
    told["early data",] = (sessions.get("max_early_data_bytes") or 0) > 0
    return told
