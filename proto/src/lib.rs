//! The wire: generated messages and services, and the single door between them and the words of `parallax-model`.

/// Messages and services of the package `parallax.v1`, generated from `proto/parallax/v1`.
#[expect(missing_docs, unused_qualifications, reason = "generated; the .proto files explain what names do not say")]
#[expect(clippy::too_many_lines, clippy::large_enum_variant, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("parallax.v1");
}

/// Every descriptor of `parallax.v1` as an encoded `google.protobuf.FileDescriptorSet`, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/parallax.v1.bin"));
