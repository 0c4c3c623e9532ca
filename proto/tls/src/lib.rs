//! TLS bytes to structs and back: a pure codec without I/O, clock or randomness.
//!
//! The map, from the floor up:
//!
//! - [`error`]: [`DecodeError`], the one way in which any decoder fails.
//! - [`reader`], [`writer`]: a cursor over borrowed bytes and its counterpart, with the length-prefixed vectors of RFC 8446 section 3.4.
//! - [`registry`]: newtypes over wire numbers (versions, suites, groups, alerts …) which keep values that nobody named yet.
//! - [`record`]: the record layer: headers, [`record::encode_records`], the incremental [`record::Deframer`] and [`record::HandshakeJoiner`].
//! - [`mod@alert`] holds [`Alert`].
//! - [`extension`], [`client_hello`]: [`ClientHello`] with its ordered extensions, and [`server_name_offset`], which finds the name in written bytes.
//! - [`fingerprint`]: JA4 and JA3 of a hello.
//! - [`server_flight`]: what a server sends in clear: ServerHello, HelloRetryRequest, and the messages of TLS 1.2.
//! - [`ssl2`]: the hellos of SSL 2.
//! - [`server_answer`]: everything above in one pure function over a server's bytes, [`read_server_answer`].
//!
//! Decoders accept any bytes: they return an error value, never panic, and hold no more memory than their documented caps.
//! What [`ClientHello::decode`] accepts, [`ClientHello::encode`] writes again byte for byte.
//! `fuzz/` searches for inputs that break this (`RUSTC_BOOTSTRAP=1 cargo fuzz run client_hello` in the package's folder); its seeds are replayed by every test run.
//!
//! ```
//! use parallax_tls::registry::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};
//! use parallax_tls::{ClientHello, Extension, read_server_answer, server_name_offset};
//!
//! let hello = ClientHello {
//!     random: [7; 32],
//!     cipher_suites: vec![CipherSuite::TLS_AES_128_GCM_SHA256],
//!     extensions: vec![
//!         Extension::ServerName("shop.example".to_owned()),
//!         Extension::SupportedVersions(vec![ProtocolVersion::TLS13]),
//!         Extension::SupportedGroups(vec![NamedGroup::X25519]),
//!         Extension::SignatureAlgorithms(vec![SignatureScheme::ECDSA_SECP256R1_SHA256]),
//!         Extension::KeyShare(vec![(NamedGroup::X25519, vec![9; 32])]),
//!     ],
//!     ..ClientHello::default()
//! };
//! let wire = hello.to_records(ProtocolVersion::TLS10);
//! let name = server_name_offset(&wire).expect("the hello carries a name");
//! assert_eq!(&wire[name], b"shop.example");
//! assert_eq!(ClientHello::decode(&hello.encode())?, hello);
//!
//! let answer = read_server_answer(&[21, 3, 3, 0, 2, 2, 40]);
//! assert_eq!(answer.plaintext_alerts[0].to_string(), "fatal handshake_failure");
//! # Ok::<(), parallax_tls::DecodeError>(())
//! ```

pub mod alert;
pub mod client_hello;
pub mod error;
pub mod extension;
pub mod fingerprint;
pub mod reader;
pub mod record;
pub mod registry;
pub mod server_answer;
pub mod server_flight;
pub mod ssl2;
pub mod writer;

mod key_exchange;
mod server_name;
mod signed_timestamps;

pub use alert::Alert;
pub use client_hello::{ClientHello, server_name_offset};
pub use error::{DecodeError, DecodeErrorKind};
pub use extension::Extension;
pub use server_answer::{ServerAnswer, ServerAnswerReader, read_server_answer};
pub use server_flight::ServerHello;
pub use signed_timestamps::signed_timestamps;
