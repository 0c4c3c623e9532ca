//! Bounds on what one message may hold, kept by the sender and checked by the receiver.

use super::error::{ConvertError, Naming, Reason};

/// Most entries of one list: certificates, transcript entries, records, steps and the like.
pub const MAX_ENTRIES: usize = 256;
/// Most bytes of one text.
pub const MAX_TEXT_BYTES: usize = 4_096;
/// Most bytes of one SHA-256 digest.
pub const MAX_DIGEST_BYTES: usize = 32;
/// Most bytes that are kept of an answer that is not TLS.
pub(crate) const MAX_NOT_TLS_BYTES: usize = 64;

/// Cuts a list to what a receiver accepts.
pub(crate) fn cut<T>(list: &[T]) -> &[T] {
    cut_to(list, MAX_ENTRIES)
}

/// Cuts a list to its first `most` entries.
pub(crate) fn cut_to<T>(list: &[T], most: usize) -> &[T] {
    list.get(..most).unwrap_or(list)
}

/// Cuts a text to what a receiver accepts, at a character's boundary.
pub(crate) fn cut_text(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned()
}

/// Converts each entry of a list of at most [`MAX_ENTRIES`].
pub(crate) fn each<M, W>(list: Vec<M>, field: &str, convert: impl Fn(M) -> Result<W, ConvertError>) -> Result<Vec<W>, ConvertError> {
    each_up_to(MAX_ENTRIES, list, field, convert)
}

/// Converts each entry of a list of at most `most`; an error of `convert` without a field is about the entry itself.
pub(crate) fn each_up_to<M, W>(most: usize, list: Vec<M>, field: &str, convert: impl Fn(M) -> Result<W, ConvertError>) -> Result<Vec<W>, ConvertError> {
    let list = entries(list, field, most)?;
    let mut words = Vec::with_capacity(list.len());
    for (index, message) in list.into_iter().enumerate() {
        words.push(convert(message).map_err(|error| indexed(error, field, index))?);
    }
    Ok(words)
}

/// Converts each inner message of a list of at most [`MAX_ENTRIES`].
pub(crate) fn messages<M, W: TryFrom<M, Error = ConvertError>>(list: Vec<M>, field: &str) -> Result<Vec<W>, ConvertError> {
    each(list, field, W::try_from)
}

fn indexed(error: ConvertError, field: &str, index: usize) -> ConvertError {
    let inner = if error.field.is_empty() { String::new() } else { format!(".{}", error.field) };
    ConvertError { field: format!("{field}[{index}]{inner}"), reason: error.reason }
}

/// Returns the list when it has at most `most` entries.
pub(crate) fn entries<T>(list: Vec<T>, field: &str, most: usize) -> Result<Vec<T>, ConvertError> {
    if list.len() > most {
        return Err(ConvertError::new(field, Reason::TooMany { found: list.len(), most, unit: "entries" }));
    }
    Ok(list)
}

/// Returns the bytes when there are at most `most`.
pub(crate) fn bytes(bytes: Vec<u8>, field: &str, most: usize) -> Result<Vec<u8>, ConvertError> {
    if bytes.len() > most {
        return Err(ConvertError::new(field, Reason::TooMany { found: bytes.len(), most, unit: "bytes" }));
    }
    Ok(bytes)
}

/// Returns the text when it has at most [`MAX_TEXT_BYTES`].
pub(crate) fn text(text: String, field: &str) -> Result<String, ConvertError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ConvertError::new(field, Reason::TooMany { found: text.len(), most: MAX_TEXT_BYTES, unit: "bytes" }));
    }
    Ok(text)
}

/// Returns the text, when there is one, with at most [`MAX_TEXT_BYTES`].
pub(crate) fn text_option(value: Option<String>, field: &str) -> Result<Option<String>, ConvertError> {
    value.map(|value| text(value, field)).transpose()
}

/// Reads a word from its text form.
pub(crate) fn parsed<W>(value: String, field: &str) -> Result<W, ConvertError>
where
    W: std::str::FromStr,
    W::Err: std::fmt::Display,
{
    text(value, field)?.parse().naming(field)
}
