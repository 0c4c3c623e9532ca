"""The other scanners: how each is asked, and which facts its answer holds.

Facts are keyed by tuples: `("versions",)` and `("suites", VERSION)` and `("groups", VERSION)` hold sets; the others are single values.
A tool states only what it looks at, so that its silence is never a disagreement.
"""
import json, pathlib, re, shutil, subprocess, sys, tempfile, venv
import xml.etree.ElementTree as xml

import arbiter, servers

VERSIONS = ["SSL 2", "SSL 3", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"]


class Tool:
    name, package, program, is_fast = "", "", "", True
    reasons = {}

    def install(self):
        if shutil.which(self.program):
            return
        print(f"installing from the distribution: {self.package}", file=sys.stderr)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", self.package], check=True, stdout=subprocess.DEVNULL)

    def reason(self, fact, value):
        """Says why the tool is known to be wrong about a fact that nobody else can settle, none when it is not."""
        return next((why for known, why in self.reasons.items() if known in (fact[0], (fact[0], value), fact)), None)


def run(*words):
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, timeout=900)


class Sslscan(Tool):
    name = package = program = "sslscan"

    def look(self, port, folder):
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            run("sslscan", "--no-colour", "--no-heartbleed", f"--xml={file.name}", f"--sni-name={servers.NAME}", f"127.0.0.1:{port}")
            test = xml.parse(file.name).getroot().find("ssltest")
        titles = {("ssl", "2"): "SSL 2", ("ssl", "3"): "SSL 3"}
        title = lambda tag: titles.get((tag.get("type"), tag.get("version")), f"TLS {tag.get('version')}")
        long = lambda tag: tag.get("sslversion").replace("v", " ")
        facts = {("versions",): frozenset(title(tag) for tag in test.findall("protocol") if tag.get("enabled") == "1")}
        for version in VERSIONS[2:]:
            found = [tag for tag in test.findall("cipher") if long(tag) == version]
            if found:
                facts["suites", version] = frozenset(int(tag.get("id"), 16) for tag in found)
            groups = [tag for tag in test.findall("group") if long(tag) == version]
            if groups:
                facts["groups", version] = frozenset(int(tag.get("id"), 16) for tag in groups)
        fallback = test.find("fallback")
        if fallback is not None and len(facts["versions",]) > 1:
            facts["fallback SCSV",] = fallback.get("supported") == "1"
        compression = test.find("compression")
        if compression is not None:
            facts["compression",] = compression.get("supported") == "1"
        return facts


class Nmap(Tool):
    name = package = program = "nmap"

    def look(self, port, folder):
        done = run("nmap", "-Pn", "-n", "-p", port, "--script", "ssl-enum-ciphers", "--script-args", f"tls.servername={servers.NAME}", "-oX", "-", "127.0.0.1")
        script = xml.fromstring(done.stdout).find(".//script[@id='ssl-enum-ciphers']")
        facts = {}
        found = [] if script is None else script.findall("table")
        facts["versions",] = frozenset(version_of(table.get("key")) for table in found)
        for table in found:
            version = version_of(table.get("key"))
            names = [suite.find("elem[@key='name']").text for suite in table.findall("table[@key='ciphers']/table")]
            numbers = [arbiter.number(name) for name in names]
            facts["suites", version] = frozenset(numbers)
            if len(numbers) > 1:
                order = table.find("elem[@key='cipher preference']")
                facts["server order", version] = order is not None and order.text == "server"
        return facts


class Sslyze(Tool):
    name, is_fast = "sslyze", False
    home = pathlib.Path(tempfile.gettempdir()) / "parallax-agreement-sslyze"
    KEYS = {"ssl_2_0": "SSL 2", "ssl_3_0": "SSL 3", "tls_1_0": "TLS 1.0", "tls_1_1": "TLS 1.1", "tls_1_2": "TLS 1.2", "tls_1_3": "TLS 1.3"}
    CURVES = {"X25519": 0x1D, "X448": 0x1E, "secp256r1": 0x17, "prime256v1": 0x17, "secp384r1": 0x18, "secp521r1": 0x19, "secp256k1": 0x16,
              "brainpoolP256r1": 0x1A, "brainpoolP384r1": 0x1B, "brainpoolP512r1": 0x1C}
    PARTS = "--sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --elliptic_curves --resum --early_data --reneg --compression --fallback --ems".split()

    def install(self):
        if not (self.home / "bin/sslyze").exists():
            print("installing from PyPI: sslyze", file=sys.stderr)
            venv.create(self.home, with_pip=True)
            subprocess.run([self.home / "bin/pip", "-q", "install", "sslyze"], check=True)

    def look(self, port, folder):
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            run(self.home / "bin/sslyze", f"--json_out={file.name}", "--mozilla_config=disable", *self.PARTS, f"{servers.NAME}:{port}{{127.0.0.1}}")
            report = json.load(open(file.name))
        results = report["server_scan_results"]
        if not results or not results[0].get("scan_result"):
            return {}
        scan = {key: part["result"] for key, part in results[0]["scan_result"].items() if part["status"] == "COMPLETED" and part["result"]}
        facts = {}
        versions = set()
        for key, version in self.KEYS.items():
            accepted = scan.get(f"{key}_cipher_suites", {}).get("accepted_cipher_suites", [])
            if accepted:
                versions.add(version)
            numbers = [arbiter.number(suite["cipher_suite"]["name"]) for suite in accepted]
            if accepted:
                facts["suites", version] = frozenset(numbers)
        facts["versions",] = frozenset(versions)
        single = [
            ("tls_compression", "supports_compression", "compression"),
            ("tls_1_3_early_data", "supports_early_data", "early data"),
            ("tls_fallback_scsv", "supports_fallback_scsv", "fallback SCSV"),
            ("session_renegotiation", "supports_secure_renegotiation", "secure renegotiation"),
            ("tls_extended_master_secret", "supports_ems_extension", "extended master secret"),
        ]
        older = versions - {"TLS 1.3"}
        for key, field, fact in single:
            asks_older = fact in ("secure renegotiation", "extended master secret", "compression")
            if key in scan and (older or not asks_older) and not (fact == "fallback SCSV" and len(versions) < 2) and not (fact == "early data" and "TLS 1.3" not in versions):
                facts[fact,] = scan[key][field]
        if "session_resumption" in scan and "TLS 1.2" in versions:
            facts["ticket resumption",] = scan["session_resumption"]["tls_ticket_resumption_result"] == "FULLY_SUPPORTED"
            facts["id resumption",] = scan["session_resumption"]["session_id_resumption_result"] == "FULLY_SUPPORTED"
        return facts


class Testssl(Tool):
    name, package, is_fast = "testssl.sh", "testssl.sh", False
    program = "testssl"
    TITLES = {"SSLv2": "SSL 2", "SSLv3": "SSL 3", "TLS1": "TLS 1.0", "TLS1_1": "TLS 1.1", "TLS1_2": "TLS 1.2", "TLS1_3": "TLS 1.3"}

    def look(self, port, folder):
        file = folder / f"testssl-{port}.json"
        run("testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "-p", "-E", "-S", "--jsonfile", file, "--ip", "127.0.0.1", f"{servers.NAME}:{port}")
        rows = {row["id"]: row["finding"] for row in json.loads(file.read_text())}
        facts = {("versions",): frozenset(title for key, title in self.TITLES.items() if key in rows and rows[key].startswith("offered"))}
        for key, title in self.TITLES.items():
            wanted = re.compile(rf"cipher-{key.lower()}_x([0-9a-f]+)$")
            numbers = {int(match.group(1), 16) for row in rows if (match := wanted.match(row))}
            if numbers:
                facts["suites", title] = frozenset(numbers)
        return facts


def version_of(text):
    return "SSL 3" if text == "SSLv3" else text.replace("v", " ")


ALL = [Sslscan(), Nmap(), Sslyze(), Testssl()]
