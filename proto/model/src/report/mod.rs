//! What the server at one address can do, in the names of the registries: the part of a verdict that an audit fills.
//!
//! The JSON form is the product's public promise, as the verdict's: fields may be added, never changed.

mod of;

use serde::{Deserialize, Serialize};

use crate::{
    facts::{AuditStop, CertificateAsk, ElsewhereFacts, Http2Answer, Resumption},
    id::AttemptId,
};

/// What the server at one address can do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditReport {
    /// `ADDRESS:PORT`.
    pub address: String,
    /// Who looked.
    pub vantage: String,
    /// The attempt that it rests on.
    pub attempt: Option<AttemptId>,
    /// What cut it short; none when every question was asked to its end.
    pub stopped: Option<AuditStop>,
    /// Connections that it took.
    pub connections: u32,
    /// How long it took, milliseconds.
    pub elapsed_ms: u64,
    /// SSL 2 to TLS 1.3; a version that was not asked is missing.
    pub versions: Vec<VersionReport>,
    /// Application protocols that it accepts, in its order.
    pub alpn: Vec<String>,
    /// What it answers when no protocol is in common.
    pub alpn_without_overlap: Option<String>,
    /// Whether sessions are resumed.
    pub resumption: ResumptionReport,
    /// What a ServerHello of TLS 1.2 or before grants.
    pub features: Option<FeatureReport>,
    /// The ephemeral secrets.
    pub key_exchange: KeyExchangeReport,
    /// Which certificate came for which question.
    pub certificates: Vec<CertificateReport>,
    /// Authorities whose client certificates it takes; none when it asks for no certificate.
    pub client_certificate_authorities: Option<u32>,
    /// Hellos with one peculiarity that the server did not bear: the peculiarity and the answer.
    pub not_borne: Vec<RefusalReport>,
    /// What it answers to a second ClientHello under the keys of TLS 1.2: `hello` when it renegotiates.
    pub renegotiation: Option<String>,
    /// What it answers to the preface of HTTP/2 after `h2` was agreed on.
    pub http2: Option<Http2Answer>,
    /// Its JARM fingerprint.
    pub jarm: Option<String>,
    /// The JA3S fingerprint of its answer to a modern hello.
    pub ja3s: Option<String>,
}

/// One protocol version.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VersionReport {
    /// Its name, such as `TLSv1.2`.
    pub version: String,
    /// Whether it is spoken.
    pub accepted: bool,
    /// What came back for it, such as `hello` or `alert protocol_version`.
    pub answer: String,
    /// Cipher suites in the order of choice.
    pub suites: Vec<String>,
    /// `server` or `client`: whose order of suites decides; none when it was not found out.
    pub suite_order: Option<String>,
    /// Those of the suites that a careful server does not offer.
    pub weak_suites: Vec<String>,
    /// Groups in the order of choice.
    pub groups: Vec<String>,
    /// Whose order of groups decides.
    pub group_order: Option<String>,
    /// Schemes that it signs with.
    pub signature_schemes: Vec<String>,
}

/// Whether sessions are resumed; each part is absent when it was not asked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResumptionReport {
    /// By ticket in TLS 1.2.
    pub tls12_ticket: Option<Resumption>,
    /// By session id in TLS 1.2.
    pub tls12_id: Option<Resumption>,
    /// By pre-shared key in TLS 1.3.
    pub tls13_psk: Option<Resumption>,
    /// The lifetime hint of a ticket of TLS 1.2, seconds.
    pub ticket_lifetime_seconds: Option<u32>,
    /// Early data that a ticket of TLS 1.3 allows, bytes.
    pub max_early_data_bytes: Option<u32>,
    /// What the target's other addresses made of a session of this one.
    pub elsewhere: Vec<ElsewhereFacts>,
    /// What the target's name made of a session that was begun under another name, where it wants a client certificate.
    pub across_names: Option<Resumption>,
}

/// What a ServerHello of TLS 1.2 or before grants.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FeatureReport {
    /// RFC 5746.
    pub renegotiation_info: bool,
    /// RFC 7627.
    pub extended_master_secret: bool,
    /// RFC 7366; none when no CBC suite is accepted.
    pub encrypt_then_mac: Option<bool>,
    /// Whether records are compressed.
    pub compression: bool,
    /// RFC 6520.
    pub heartbeat: bool,
    /// Protocols of the retired NPN, none when it is not offered.
    pub next_protocols: Option<Vec<String>>,
    /// What a fallback with TLS_FALLBACK_SCSV is answered with; none when there is no version to fall back to.
    pub fallback_scsv: Option<String>,
}

/// The ephemeral secrets.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyExchangeReport {
    /// Bits of the prime of DHE suites.
    pub prime_bits: Option<u32>,
    /// The prime's name when many servers share it.
    pub prime_name: Option<String>,
    /// Whether a public value came twice; none when there was nothing to compare.
    pub value_reused: Option<bool>,
    /// Post-quantum hybrids whose real key share it took.
    pub hybrids: Vec<String>,
}

/// Which certificate came for one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CertificateReport {
    /// What was asked.
    pub ask: CertificateAsk,
    /// The server name that was sent.
    pub server_name: Option<String>,
    /// What came back.
    pub answer: String,
    /// SHA-256 of the leaf, hexadecimal.
    pub leaf_sha256: Option<String>,
    /// Certificates in the chain.
    pub chain_length: u32,
    /// Whether an OCSP response was stapled.
    pub stapled: bool,
    /// Signed certificate timestamps in the leaf and in the ServerHello (RFC 6962 section 3.3); those that only an OCSP response holds are not counted.
    #[serde(default)]
    pub signed_timestamps: u32,
}

/// What the report needs to know of a leaf, from whoever reads certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRead {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Signed certificate timestamps in it.
    pub signed_timestamps: u32,
}

/// A hello that the server did not bear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalReport {
    /// Its peculiarity, by the name of the rung.
    pub rung: String,
    /// What came instead.
    pub answer: String,
}
