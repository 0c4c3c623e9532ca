//! Lists of signed certificate timestamps.

use crate::reader::Reader;

/// Counts the timestamps in the body of `signed_certificate_timestamp` as a server sends it (RFC 6962 section 3.3); what follows a damaged one is not counted.
#[must_use]
pub fn signed_timestamps(body: &[u8]) -> u32 {
    const WHAT: &str = "signed certificate timestamps";
    let mut list = Reader::new(Reader::new(body).vec_u16(WHAT).unwrap_or_default());
    let mut count = 0;
    while list.vec_u16(WHAT).is_ok() {
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_timestamps_count() {
        assert_eq!(signed_timestamps(&[0, 9, 0, 2, 1, 1, 0, 3, 2, 2, 2]), 2);
        assert_eq!(signed_timestamps(&[0, 8, 0, 2, 1, 1, 0, 3, 2, 2]), 1, "the second is cut");
        for body in [&[][..], &[0], &[0, 0], &[0, 9, 0, 2, 1, 1]] {
            assert_eq!(signed_timestamps(body), 0, "{body:?}");
        }
    }
}
