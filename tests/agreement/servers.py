"""The servers of the comparison, on loopback."""
import contextlib, pathlib, socket, subprocess, time

NAME = "agreement.test"
NGINX = """daemon off; error_log stderr crit; pid {own}/pid; master_process off;
events {{ }}
http {{ access_log off; client_body_temp_path {own}; proxy_temp_path {own}; fastcgi_temp_path {own}; uwsgi_temp_path {own}; scgi_temp_path {own};
server {{ listen 127.0.0.1:{port} ssl backlog=511; server_name {name}; location / {{ return 200; }} {text} }} {extra} }}
"""
MODULES = ["mpm_event", "authz_core", "ssl", "socache_shmcb"]


def make_certificates(folder):
    """Makes an authority and one certificate for each kind of key, with the authority's signature."""
    run = lambda *words: subprocess.run(["openssl", *map(str, words)], cwd=folder, check=True, capture_output=True)
    keys = {"ecdsa": ["EC", "ec_paramgen_curve:P-256"], "rsa": ["RSA", "rsa_keygen_bits:2048"], "rsa4096": ["RSA", "rsa_keygen_bits:4096"], "root": ["EC", "ec_paramgen_curve:P-256"]}
    for name, (algorithm, option) in keys.items():
        run("genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", f"{name}.key")
    run("req", "-x509", "-new", "-key", "root.key", "-subj", "/CN=Agreement Root", "-days", 30, "-out", "root.pem", "-addext", "basicConstraints=critical,CA:TRUE")
    (folder / "extensions").write_text(f"subjectAltName=DNS:{NAME}\n")
    for name in ("ecdsa", "rsa", "rsa4096"):
        run("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={NAME}", "-out", f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", 30, "-extfile", "extensions", "-out", f"{name}.pem")
        (folder / f"{name}.both").write_text((folder / f"{name}.pem").read_text() + (folder / f"{name}.key").read_text())
    # The group of RFC 7919, which is well known and costs no time to make.
    run("dhparam", "-out", "dh2048.pem", "-dsaparam", 2048)
    for made in folder.iterdir():
        made.chmod(0o644)


@contextlib.contextmanager
def started(configuration, folder, extra=""):
    """Runs a server on a free port; yields the port and whether it still listens."""
    port = free_port()
    own = folder / f"server-{port}"
    own.mkdir()
    own.chmod(0o777)
    text = configuration["text"].replace("/path/", f"{folder}/").replace("NAME", NAME)
    words = command(configuration.get("kind", "nginx"), text, port, own, extra)
    log = open(own / "log", "wb")
    process = subprocess.Popen(words, cwd=own, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 10
        while not listens(port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{configuration['name']} does not start: {(own / 'log').read_text()[-500:]}")
            time.sleep(0.05)
        yield port, lambda: process.poll() is None
    finally:
        process.terminate()
        process.wait()


def command(kind, text, port, own, extra):
    if kind == "nginx":
        (own / "nginx.conf").write_text(NGINX.format(own=own, port=port, name=NAME, text=text, extra=extra))
        return ["nginx", "-p", str(own), "-e", "stderr", "-c", str(own / "nginx.conf")]
    if kind == "apache":
        loads = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
        (own / "httpd.conf").write_text(
            f"ServerRoot {own}\nServerName {NAME}\nPidFile {own}/pid\nErrorLog {own}/errors\nDefaultRuntimeDir {own}\nDocumentRoot {own}\nListen 127.0.0.1:{port}\n"
            f"{loads}SSLSessionCache shmcb:{own}/cache(512000)\nSSLEngine on\n{text}\n"
        )
        return ["unshare", "--user", "--map-user=65534", "--map-group=65534", "apache2", "-DFOREGROUND", "-f", str(own / "httpd.conf")]
    if kind == "haproxy":
        (own / "haproxy.cfg").write_text(
            "defaults\n  mode http\n  timeout connect 2s\n  timeout client 10s\n  timeout server 10s\n"
            f"frontend tls\n  bind 127.0.0.1:{port} {text}\n  http-request return status 200\n"
        )
        return ["haproxy", "-db", "-f", str(own / "haproxy.cfg")]
    if kind == "openssl":
        return ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet", *text.split()]
    if kind == "gnutls":
        return ["gnutls-serv", "--http", "--quiet", "--port", str(port), *text.split()]
    raise ValueError(f"no server is called {kind}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
