//! One record on disk: length, checksum, and a body that says what it is.

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An encoded attempt.
    Attempt,
    /// An encoded end of a share.
    ShareDone,
}

/// One record of the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// What the payload is.
    pub(crate) kind: Kind,
    /// Whether it goes last when room must be made: a failure, or the end of a share.
    pub(crate) important: bool,
    /// Its place among all records of this spool, over all runs of the agent.
    pub(crate) mark: u64,
    /// The attempt's number in its boot, from 1; for the end of a share the number of the attempt before it.
    pub(crate) sequence: u64,
    /// The encoded message.
    pub(crate) payload: Vec<u8>,
}

impl Record {
    /// Returns the bytes that the record takes on disk.
    pub(crate) fn size(&self) -> u64 {
        (HEADER_LEN + FIXED_LEN + self.payload.len()) as u64
    }

    /// Appends the record as it stands on disk.
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(FIXED_LEN + self.payload.len());
        let kind = match self.kind {
            Kind::Attempt => 1,
            Kind::ShareDone => 2,
        };
        body.extend_from_slice(&[kind, u8::from(self.important)]);
        body.extend_from_slice(&self.mark.to_le_bytes());
        body.extend_from_slice(&self.sequence.to_le_bytes());
        body.extend_from_slice(&self.payload);
        let length = u32::try_from(body.len()).expect("a record is far below 4 GiB");
        into.extend_from_slice(&length.to_le_bytes());
        into.extend_from_slice(&crc32(&body).to_le_bytes());
        into.extend_from_slice(&body);
    }

    /// Reads the record at the start of `bytes` and returns it with its size on disk; none when it is cut or damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (checksum, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let body = rest.get(..length)?;
        if crc32(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let ([kind, important], body) = body.split_first_chunk::<2>()?;
        let (mark, body) = body.split_first_chunk::<8>()?;
        let (sequence, payload) = body.split_first_chunk::<8>()?;
        let kind = match kind {
            1 => Kind::Attempt,
            2 => Kind::ShareDone,
            _ => return None,
        };
        let record =
            Self { kind, important: *important != 0, mark: u64::from_le_bytes(*mark), sequence: u64::from_le_bytes(*sequence), payload: payload.to_vec() };
        Some((record, HEADER_LEN + length))
    }
}

/// Iterates over the whole records at the start of `bytes`, each with the offset behind it.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = (Record, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (record, size) = Record::decode(bytes.get(at..)?)?;
        at += size;
        Some((record, at))
    })
}

/// Computes the checksum of IEEE 802.3, as in gzip.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8))
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

const HEADER_LEN: usize = 8;
const FIXED_LEN: usize = 18;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    fn record() -> impl Strategy<Value = Record> {
        let kind = prop_oneof![Just(Kind::Attempt), Just(Kind::ShareDone)];
        (kind, any::<bool>(), any::<u64>(), any::<u64>(), proptest::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(kind, important, mark, sequence, payload)| Record { kind, important, mark, sequence, payload })
    }

    proptest! {
        #[test]
        fn any_crash_point_yields_a_prefix(written in proptest::collection::vec(record(), 0..20), cut in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for record in &written {
                record.encode(&mut bytes);
                ends.push(bytes.len());
            }
            prop_assert_eq!(bytes.len() as u64, written.iter().map(Record::size).sum::<u64>());
            let cut = cut.index(bytes.len() + 1);
            let read: Vec<Record> = records(&bytes[..cut]).map(|(record, _)| record).collect();
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            prop_assert_eq!(&read[..], &written[..whole]);
        }

        #[test]
        fn a_damaged_byte_is_never_read_as_a_record(written in record(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
            let mut bytes = Vec::new();
            written.encode(&mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(Record::decode(&bytes).is_none_or(|(read, _)| read == written));
        }
    }
}
