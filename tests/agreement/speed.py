"""Time and connections of each tool against one nginx with both certificates."""
import re, statistics, time, urllib.request

import servers

ROUNDS = 5
SLOW_ROUNDS = 1
CONFIGURATION = {
    "name": "nginx",
    "text": "ssl_certificate /path/ecdsa.pem; ssl_certificate_key /path/ecdsa.key; ssl_certificate /path/rsa.pem; ssl_certificate_key /path/rsa.key; ssl_protocols TLSv1.2 TLSv1.3;",
}


def table(folder, fleet, chosen):
    status = servers.free_port()
    extra = f"server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }}"
    with servers.started(CONFIGURATION, folder, extra) as (port, _):
        rows = []
        for name, look, rounds in [("parallax probe --deep", lambda: fleet.audit(port), ROUNDS)] + [
            (tool.name, lambda tool=tool: tool.look(port, folder), ROUNDS if tool.is_fast else SLOW_ROUNDS) for tool in chosen
        ]:
            times, connections = [], []
            for _ in range(rounds):
                before, began = accepted(status), time.monotonic()
                facts = look()
                # Reading the stored facts is no part of the audit.
                times.append(fleet.last_probe_seconds if "parallax" in name else time.monotonic() - began)
                # The question itself is one connection.
                connections.append(accepted(status) - before - 1)
            rows.append((name, statistics.median(times), statistics.median(connections), facts))
            if "parallax" in name:
                rows.append(("  of it the audit itself", fleet.last_audit_seconds, fleet.last_audit_connections, facts))
    print(f"{'tool':<28} {'seconds':>8} {'connections':>12} {'facts shared':>13}")
    for name, seconds, connections, facts in rows:
        print(f"{name:<28} {seconds:8.2f} {connections:12.0f} {sum(len(value) if isinstance(value, frozenset) else 1 for value in facts.values()):13}")
    return 0


def accepted(port):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/").read().decode()
    return int(re.search(r"^ (\d+) \d+ \d+", text, re.M).group(1))
