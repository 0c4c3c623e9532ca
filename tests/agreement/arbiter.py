"""Who is right: `openssl s_client`, which connects with just the version, suite or group in question."""
import functools, subprocess

import servers

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
        return connects(port, FLAGS.get(element), "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0") if element in FLAGS and element != "SSL 3" else None
    if kind == "suites" and element in suites() and version != "SSL 3":
        own = suites()[element][0]
        wanted = ["-ciphersuites", own] if version == "TLS 1.3" else ["-cipher", f"{own}:@SECLEVEL=0"]
        return connects(port, FLAGS[version], *wanted)
    if kind == "groups" and element in GROUPS:
        return connects(port, FLAGS[version], "-groups", GROUPS[element], *([] if version == "TLS 1.3" else ["-cipher", "ECDHE:@SECLEVEL=0"]))
    return None


def connects(port, *words):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", servers.NAME, *words]
    try:
        done = subprocess.run(command, input=b"", capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return None
    output = done.stdout + done.stderr
    if b"unknown option" in output or b"Error with command" in output or b"no cipher match" in output.lower():
        return None
    return b"Cipher is (NONE)" not in output and b"Cipher is " in output
