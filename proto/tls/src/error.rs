//! The one way in which decoders fail.

/// Says which element of the wire format could not be read, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {kind}")]
pub struct DecodeError {
    /// The element that was being read, in the words of the RFC, such as "cipher suites".
    pub what: &'static str,
    /// What was wrong with it.
    pub kind: DecodeErrorKind,
}

/// The ways in which bytes fail to be the element that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes ended inside the element.
    Truncated,
    /// Bytes remained after the element's end.
    TrailingBytes,
    /// A length field contradicts the element that it measures, for example an odd length of two-byte items.
    BadLength,
    /// A field holds a value that the specification forbids at this place.
    BadValue,
    /// A message or record came where the protocol does not allow it.
    Unexpected,
    /// The element is larger than the reader's cap.
    TooLarge {
        /// The cap in bytes (or items, where the element is a list).
        limit: usize,
    },
    /// A record was due and the bytes are not a TLS record header.
    NotTls,
}

impl DecodeError {
    pub(crate) fn new(what: &'static str, kind: DecodeErrorKind) -> Self {
        Self { what, kind }
    }
}

impl std::fmt::Display for DecodeErrorKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => formatter.write_str("the bytes end too early"),
            Self::TrailingBytes => formatter.write_str("bytes remain after the end"),
            Self::BadLength => formatter.write_str("a length field contradicts the content"),
            Self::BadValue => formatter.write_str("a value is not allowed here"),
            Self::Unexpected => formatter.write_str("not allowed at this point of the handshake"),
            Self::TooLarge { limit } => write!(formatter, "larger than the cap of {limit}"),
            Self::NotTls => formatter.write_str("not a TLS record header"),
        }
    }
}
