"""Who is right: `openssl s_client`, which connects with just the version, suite or group in question."""
import functools, re, subprocess

import servers

EVERY_SUITE = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
ALIASES = {"P-256": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1"}
FLAGS = {"SSL 3": "-ssl3", "TLS 1.0": "-tls1", "TLS 1.1": "-tls1_1", "TLS 1.2": "-tls1_2", "TLS 1.3": "-tls1_3"}
GROUPS = {0x17: "P-256", 0x18: "P-384", 0x19: "P-521", 0x1D: "X25519", 0x1E: "X448", 0x16: "secp256k1", 0x1A: "brainpoolP256r1", 0x1B: "brainpoolP384r1", 0x1C: "brainpoolP512r1",
          0x100: "ffdhe2048", 0x101: "ffdhe3072", 0x102: "ffdhe4096", 0x103: "ffdhe6144", 0x104: "ffdhe8192"}

# Suites of the registry that Debian's OpenSSL is built without or does not list.
BEYOND_OPENSSL = {
    "TLS_RSA_WITH_RC4_128_MD5": 0x0004, "TLS_RSA_WITH_RC4_128_SHA": 0x0005, "TLS_RSA_WITH_3DES_EDE_CBC_SHA": 0x000A, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA": 0x0016,
    "TLS_DH_anon_WITH_RC4_128_MD5": 0x0018, "TLS_DH_anon_WITH_3DES_EDE_CBC_SHA": 0x001B, "TLS_ECDHE_RSA_WITH_RC4_128_SHA": 0xC011,
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA": 0xC012, "TLS_ECDH_anon_WITH_RC4_128_SHA": 0xC016, "TLS_ECDH_anon_WITH_3DES_EDE_CBC_SHA": 0xC017,
    "TLS_AES_128_CCM_SHA256": 0x1304, "TLS_AES_128_CCM_8_SHA256": 0x1305,
}


@functools.cache
def suites():
    """Returns the suites that this OpenSSL knows: number to (its own name, the registry's name)."""
    text = subprocess.run(["openssl", "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, text=True, check=True).stdout
    known = {}
    for line in text.splitlines():
        words = line.split()
        high, low = words[0].split(",")
        known[int(high, 16) << 8 | int(low, 16)] = (words[4], words[2])
    return known


def number(registry_name):
    """Returns the number of a suite by its name in the registry; nmap has names of its own for those of TLS 1.3."""
    wanted = registry_name.replace("TLS_AKE_WITH_", "TLS_")
    by_name = {name: number for number, (_, name) in suites().items()} | BEYOND_OPENSSL
    if wanted not in by_name:
        raise KeyError(f"no number is known for {registry_name}: add it to BEYOND_OPENSSL")
    return by_name[wanted]


def name(fact, element):
    if fact[0] == "suites":
        beyond = {number: name for name, number in BEYOND_OPENSSL.items()}
        return suites()[element][1] if element in suites() else beyond.get(element, f"0x{element:04x}")
    return GROUPS.get(element, f"0x{element:04x}") if isinstance(element, int) else element


def ask(port, fact, element):
    """Returns whether the server does it, none when OpenSSL cannot tell."""
    kind, version = fact[0], fact[-1]
    if kind == "versions":
        return "Cipher is" in (s_client(port, FLAGS[element], *EVERY_SUITE) or "") if element in FLAGS and element != "SSL 3" else None
    if kind == "suites" and element in suites() and version != "SSL 3":
        return chosen_suite(port, version, [element]) is not None
    if kind == "groups" and element in GROUPS:
        return takes_group(port, version, element)
    if kind == "server order":
        return keeps_order(port, version)
    if kind in ("ticket resumption", "id resumption"):
        output = s_client(port, "-tls1_2", "-reconnect", *EVERY_SUITE, *(["-no_ticket"] if kind == "id resumption" else []))
        return None if output is None else "Reused, " in output
    return None


def chosen_suite(port, version, offered):
    """Returns what the server chooses of these suites, in OpenSSL's own words."""
    names = ":".join(suites()[number][0] for number in offered)
    words = ["-ciphersuites", names] if version == "TLS 1.3" else ["-cipher", f"{names}:@SECLEVEL=0"]
    found = re.search(r"Cipher is (\S+)", s_client(port, FLAGS[version], *words) or "")
    return found and found.group(1)


def takes_group(port, version, group):
    """A server with an ECDSA key before TLS 1.3 needs the key's own group on offer as well: it stands behind the one in question."""
    if version == "TLS 1.3":
        return "Cipher is" in (s_client(port, FLAGS[version], "-groups", GROUPS[group]) or "")
    output = s_client(port, FLAGS[version], "-groups", ":".join(dict.fromkeys([GROUPS[group], "P-256"])), "-cipher", "ECDHE:ECDH:@SECLEVEL=0") or ""
    key = re.search(r"Server Temp Key: (?:ECDH, )?([\w-]+)", output)
    return bool(key) and key.group(1).lower() in (GROUPS[group].lower(), ALIASES.get(GROUPS[group], ""))


def keeps_order(port, version):
    accepted = [number for number in suites() if (suites()[number][0].startswith("TLS_")) == (version == "TLS 1.3") and chosen_suite(port, version, [number])]
    forward, backward = (chosen_suite(port, version, order) for order in (accepted, accepted[::-1]))
    return forward == backward if len(accepted) > 1 else None


def s_client(port, *words):
    """Returns what `openssl s_client` says of a connection, none when it does not know the words; without "Cipher is" when there was no handshake."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", servers.NAME, *words]
    try:
        done = subprocess.run(command, input=b"", capture_output=True, timeout=20)
    except subprocess.TimeoutExpired:
        return None
    output = (done.stdout + done.stderr).decode(errors="replace").replace("Cipher is (NONE)", "")
    return None if any(word in output for word in ("unknown option", "Error with command", "no cipher match")) else output
