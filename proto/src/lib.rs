//! The wire: generated messages and services, and the single door between them and the words of `parallax-model`.
//!
//! | module | what is there |
//! |---|---|
//! | [`v1`] | messages, clients and servers of the package `parallax.v1` |
//! | [`convert`] | `TryFrom` a message for a word, `From` a word for a message |
//! | [`wire`] | messages to bytes and back, for signatures and spools; limits on size |
//! | [`join`] | the join string that makes a host a vantage |
//!
//! ```
//! use parallax_model::{check::Check, clock::Timestamp};
//! use parallax_proto::{convert::ConvertError, v1, wire};
//!
//! let check = Check::once("api.example.test".parse().expect("a target"), Timestamp::from_micros(0));
//! let bytes = wire::encode(&v1::Check::from(&check));
//! assert_eq!(Check::try_from(wire::decode::<v1::Check>(&bytes)?)?, check);
//! # Ok::<(), ConvertError>(())
//! ```

pub mod convert;
pub mod join;
pub mod wire;

/// Messages and services of the package `parallax.v1`, generated from `proto/parallax/v1`.
#[expect(missing_docs, unused_qualifications, reason = "generated; the .proto files explain what names do not say")]
#[expect(clippy::too_many_lines, clippy::large_enum_variant, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("parallax.v1");
}

/// Every descriptor of `parallax.v1` as an encoded `google.protobuf.FileDescriptorSet`, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/parallax.v1.bin"));
