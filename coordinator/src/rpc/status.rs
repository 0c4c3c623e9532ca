//! The one mapping from what failed to a gRPC status; its message is a sentence for the person who asked.

use parallax_store::StoreError;
use tonic::Status;
use tracing::error;

use crate::pki::{CsrError, PkiError, Refusal};

/// Maps a failure of the store, and logs its cause.
pub(super) fn of_store(failure: StoreError) -> Status {
    error!(error = &failure as &dyn std::error::Error, "the store failed a request");
    match failure {
        StoreError::DiskFull { .. } => Status::resource_exhausted(format!("the coordinator's disk is full: {failure}")),
        StoreError::Unavailable { .. } | StoreError::Locked { .. } => Status::unavailable(format!("the coordinator cannot reach its store: {failure}")),
        _ => Status::internal(failure.to_string()),
    }
}

/// Maps a failure of keys and certificates, and logs its cause.
pub(super) fn of_pki(failure: PkiError) -> Status {
    error!(error = &failure as &dyn std::error::Error, "keys or certificates failed a request");
    Status::internal(failure.to_string())
}

/// Maps a refused signing request.
pub(super) fn of_csr(failure: CsrError) -> Status {
    match failure {
        CsrError::Signing(failure) => of_pki(failure),
        CsrError::Invalid(_) | CsrError::KeyKind => Status::invalid_argument(failure.to_string()),
    }
}

/// Maps a certificate that no longer admits its holder.
pub(super) fn of_refusal(refusal: &Refusal) -> Status {
    Status::permission_denied(refusal.to_string())
}

/// Says that nothing has this name, and which names are near it.
pub(super) fn not_found<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Status {
    let near = nearest(name, known);
    let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    Status::not_found(format!("no {kind} is called {name:?}{hint}"))
}

/// Returns up to three names that differ in few letters, the nearest first.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let most = (name.chars().count() / 2).max(1);
    let mut near: Vec<(usize, &str)> =
        known.map(|other| (distance(name, other), other)).filter(|(far, other)| *far <= most || other.starts_with(name)).collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, other)| other).collect()
}

/// Counts the letters to insert, delete or replace (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, expected) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *expected);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_its_neighbours() {
        let known = ["fra-1", "fra-2", "vie-1", "zrh"];
        assert_eq!(not_found("vantage", "fra1", known.into_iter()).message(), "no vantage is called \"fra1\"; did you mean fra-1 or fra-2?");
        assert_eq!(not_found("check", "something", known.into_iter()).message(), "no check is called \"something\"");
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
