//! Numbers that client and server agree on: versions, groups, signature schemes.

use super::wire_value;

wire_value! {
    /// A protocol version as it stands on the wire.
    ProtocolVersion(u16, "0x{:04X}");
    SSL20 = 0x0002, "SSLv2";
    SSL30 = 0x0300, "SSLv3";
    TLS10 = 0x0301, "TLSv1.0";
    TLS11 = 0x0302, "TLSv1.1";
    TLS12 = 0x0303, "TLSv1.2";
    TLS13 = 0x0304, "TLSv1.3";
}

wire_value! {
    /// A group for the key exchange (RFC 8446 section 4.2.7).
    NamedGroup(u16, "0x{:04X}");
    SECT163K1 = 1, "sect163k1";
    SECT163R1 = 2, "sect163r1";
    SECT163R2 = 3, "sect163r2";
    SECT193R1 = 4, "sect193r1";
    SECT193R2 = 5, "sect193r2";
    SECT233K1 = 6, "sect233k1";
    SECT233R1 = 7, "sect233r1";
    SECT239K1 = 8, "sect239k1";
    SECT283K1 = 9, "sect283k1";
    SECT283R1 = 10, "sect283r1";
    SECT409K1 = 11, "sect409k1";
    SECT409R1 = 12, "sect409r1";
    SECT571K1 = 13, "sect571k1";
    SECT571R1 = 14, "sect571r1";
    SECP160K1 = 15, "secp160k1";
    SECP160R1 = 16, "secp160r1";
    SECP160R2 = 17, "secp160r2";
    SECP192K1 = 18, "secp192k1";
    SECP192R1 = 19, "secp192r1";
    SECP224K1 = 20, "secp224k1";
    SECP224R1 = 21, "secp224r1";
    SECP256K1 = 22, "secp256k1";
    SECP256R1 = 23, "secp256r1";
    SECP384R1 = 24, "secp384r1";
    SECP521R1 = 25, "secp521r1";
    BRAINPOOLP256R1 = 26, "brainpoolP256r1";
    BRAINPOOLP384R1 = 27, "brainpoolP384r1";
    BRAINPOOLP512R1 = 28, "brainpoolP512r1";
    X25519 = 29, "x25519";
    X448 = 30, "x448";
    BRAINPOOLP256R1TLS13 = 31, "brainpoolP256r1tls13";
    BRAINPOOLP384R1TLS13 = 32, "brainpoolP384r1tls13";
    BRAINPOOLP512R1TLS13 = 33, "brainpoolP512r1tls13";
    CURVESM2 = 41, "curveSM2";
    FFDHE2048 = 0x0100, "ffdhe2048";
    FFDHE3072 = 0x0101, "ffdhe3072";
    FFDHE4096 = 0x0102, "ffdhe4096";
    FFDHE6144 = 0x0103, "ffdhe6144";
    FFDHE8192 = 0x0104, "ffdhe8192";
    MLKEM512 = 0x0200, "MLKEM512";
    MLKEM768 = 0x0201, "MLKEM768";
    MLKEM1024 = 0x0202, "MLKEM1024";
    SECP256R1MLKEM768 = 0x11eb, "SecP256r1MLKEM768";
    X25519MLKEM768 = 0x11ec, "X25519MLKEM768";
    SECP384R1MLKEM1024 = 0x11ed, "SecP384r1MLKEM1024";
    CURVESM2MLKEM768 = 0x11ee, "curveSM2MLKEM768";
    SECP256R1KYBER768DRAFT00 = 0x639a, "SecP256r1Kyber768Draft00";
    X25519KYBER768DRAFT00 = 0x6399, "X25519Kyber768Draft00";
}

impl NamedGroup {
    /// Returns the bytes of a client's key share (RFC 8446 section 4.2.8, draft-ietf-tls-ecdhe-mlkem), none where the group has no fixed size here.
    #[must_use]
    pub fn key_share_len(self) -> Option<usize> {
        Some(match self {
            Self::X25519 => 32,
            Self::X448 => 56,
            Self::SECP256R1 => 65,
            Self::SECP384R1 => 97,
            Self::SECP521R1 => 133,
            Self::FFDHE2048 => 256,
            Self::FFDHE3072 => 384,
            Self::FFDHE4096 => 512,
            Self::FFDHE6144 => 768,
            Self::FFDHE8192 => 1_024,
            Self::MLKEM512 => 800,
            Self::MLKEM768 => 1_184,
            Self::MLKEM1024 => 1_568,
            Self::X25519MLKEM768 => 1_216,
            Self::SECP256R1MLKEM768 => 1_249,
            Self::SECP384R1MLKEM1024 => 1_665,
            _ => return None,
        })
    }
}

wire_value! {
    /// A signature scheme (RFC 8446 section 4.2.3), or the pair of hash and signature of TLS 1.2 with the same number.
    SignatureScheme(u16, "0x{:04X}");
    RSA_PKCS1_MD5 = 0x0101, "rsa_pkcs1_md5";
    RSA_PKCS1_SHA1 = 0x0201, "rsa_pkcs1_sha1";
    DSA_SHA1 = 0x0202, "dsa_sha1";
    ECDSA_SHA1 = 0x0203, "ecdsa_sha1";
    RSA_PKCS1_SHA224 = 0x0301, "rsa_pkcs1_sha224";
    DSA_SHA224 = 0x0302, "dsa_sha224";
    ECDSA_SHA224 = 0x0303, "ecdsa_sha224";
    RSA_PKCS1_SHA256 = 0x0401, "rsa_pkcs1_sha256";
    DSA_SHA256 = 0x0402, "dsa_sha256";
    ECDSA_SECP256R1_SHA256 = 0x0403, "ecdsa_secp256r1_sha256";
    RSA_PKCS1_SHA384 = 0x0501, "rsa_pkcs1_sha384";
    DSA_SHA384 = 0x0502, "dsa_sha384";
    ECDSA_SECP384R1_SHA384 = 0x0503, "ecdsa_secp384r1_sha384";
    RSA_PKCS1_SHA512 = 0x0601, "rsa_pkcs1_sha512";
    DSA_SHA512 = 0x0602, "dsa_sha512";
    ECDSA_SECP521R1_SHA512 = 0x0603, "ecdsa_secp521r1_sha512";
    SM2SIG_SM3 = 0x0708, "sm2sig_sm3";
    RSA_PSS_RSAE_SHA256 = 0x0804, "rsa_pss_rsae_sha256";
    RSA_PSS_RSAE_SHA384 = 0x0805, "rsa_pss_rsae_sha384";
    RSA_PSS_RSAE_SHA512 = 0x0806, "rsa_pss_rsae_sha512";
    ED25519 = 0x0807, "ed25519";
    ED448 = 0x0808, "ed448";
    RSA_PSS_PSS_SHA256 = 0x0809, "rsa_pss_pss_sha256";
    RSA_PSS_PSS_SHA384 = 0x080a, "rsa_pss_pss_sha384";
    RSA_PSS_PSS_SHA512 = 0x080b, "rsa_pss_pss_sha512";
    ECDSA_BRAINPOOLP256R1TLS13_SHA256 = 0x081a, "ecdsa_brainpoolP256r1tls13_sha256";
    ECDSA_BRAINPOOLP384R1TLS13_SHA384 = 0x081b, "ecdsa_brainpoolP384r1tls13_sha384";
    ECDSA_BRAINPOOLP512R1TLS13_SHA512 = 0x081c, "ecdsa_brainpoolP512r1tls13_sha512";
    MLDSA44 = 0x0904, "mldsa44";
    MLDSA65 = 0x0905, "mldsa65";
    MLDSA87 = 0x0906, "mldsa87";
}
