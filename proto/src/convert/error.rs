use std::fmt::Display;

/// Says which field of a message is no word, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ConvertError {
    /// The path to the field, for example `facts.dns.answers[1].record_type`.
    pub field: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Says what is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It must be there.
    #[error("missing")]
    Missing,
    /// An enum value that this build does not know; its number.
    #[error("value {0} is unknown to this build, the peer's may be newer")]
    Unknown(i32),
    /// A number beyond what the word holds.
    #[error("{0} is out of range")]
    OutOfRange(u64),
    /// Bytes of another size than the word has.
    #[error("has {0} bytes")]
    Length(usize),
    /// More entries or bytes than are accepted.
    #[error("has {found} {unit}, at most {most} are accepted")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many are accepted.
        most: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// The word's own refusal.
    #[error("{0}")]
    Refused(String),
}

impl ConvertError {
    /// Makes an error about one field.
    pub fn new(field: &str, reason: Reason) -> Self {
        Self { field: field.to_owned(), reason }
    }
}

impl From<ConvertError> for tonic::Status {
    fn from(error: ConvertError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

/// Returns a message field that must be there.
pub fn required<T>(value: Option<T>, field: &str) -> Result<T, ConvertError> {
    value.ok_or_else(|| ConvertError::new(field, Reason::Missing))
}

/// Puts the name of the outer field before that of the inner one.
pub(crate) trait Within<T> {
    fn within(self, outer: &str) -> Result<T, ConvertError>;
}

impl<T> Within<T> for Result<T, ConvertError> {
    fn within(self, outer: &str) -> Self {
        self.map_err(|error| ConvertError { field: format!("{outer}.{}", error.field), reason: error.reason })
    }
}

/// Names the field in a word's own refusal.
pub(crate) trait Naming<T> {
    fn naming(self, field: &str) -> Result<T, ConvertError>;
}

impl<T, E: Display> Naming<T> for Result<T, E> {
    fn naming(self, field: &str) -> Result<T, ConvertError> {
        self.map_err(|error| ConvertError::new(field, Reason::Refused(error.to_string())))
    }
}

/// Converts an optional inner message.
pub(crate) fn inner<M, W>(message: Option<M>, field: &str) -> Result<Option<W>, ConvertError>
where
    W: TryFrom<M, Error = ConvertError>,
{
    message.map(W::try_from).transpose().within(field)
}

/// Converts an inner message that must be there.
pub(crate) fn required_inner<M, W>(message: Option<M>, field: &str) -> Result<W, ConvertError>
where
    W: TryFrom<M, Error = ConvertError>,
{
    W::try_from(required(message, field)?).within(field)
}

/// Reads an enum value: zero is a missing field, a number without a name comes from a newer build.
pub(crate) fn known<E: TryFrom<i32>>(value: i32, field: &str) -> Result<E, ConvertError> {
    match value {
        0 => Err(ConvertError::new(field, Reason::Missing)),
        _ => E::try_from(value).map_err(|_| ConvertError::new(field, Reason::Unknown(value))),
    }
}

/// Narrows a number to the word's width.
pub(crate) fn narrow<T: TryFrom<u32>>(value: u32, field: &str) -> Result<T, ConvertError> {
    T::try_from(value).map_err(|_| ConvertError::new(field, Reason::OutOfRange(u64::from(value))))
}

/// Narrows a number that may be absent.
pub(crate) fn narrow_option<T: TryFrom<u32>>(value: Option<u32>, field: &str) -> Result<Option<T>, ConvertError> {
    value.map(|value| narrow(value, field)).transpose()
}

/// Says that a required enum field carries its zero value, after [`known`] has let it through.
pub(crate) fn unspecified(field: &str) -> ConvertError {
    ConvertError::new(field, Reason::Missing)
}
