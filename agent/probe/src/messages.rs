//! The readers of single messages off the network, each without its connection: for those that search for bytes that break them.

use parallax_model::facts::{DnsRecord, HttpFacts, ServiceRecord};

use crate::{dns, http, quic};

/// Reads a datagram as the answer to a lookup of `x.test`: its records, and what it says of the service.
pub fn dns_answer(datagram: &[u8]) -> Option<(Vec<DnsRecord>, Vec<ServiceRecord>)> {
    dns::read_answer(datagram)
}

/// Reads the head of an HTTP response; none when it is no HTTP.
pub fn http_head(bytes: &[u8]) -> Option<HttpFacts> {
    http::read_head(bytes)
}

/// Reads the versions that a server names in answer to the question with these connection identifiers.
pub fn quic_versions(datagram: &[u8], destination: [u8; 8], source: [u8; 8]) -> Option<Vec<u32>> {
    quic::read_versions(datagram, destination, source)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_fuzzers_findings_and_seeds_are_replayed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/messages");
        let mut read = [0; 3];
        for entry in fs::read_dir(folder).unwrap() {
            let input = fs::read(entry.unwrap().path()).unwrap();
            let Some((kind, bytes)) = input.split_first() else { continue };
            let found = match kind % 3 {
                0 => dns_answer(bytes).is_some(),
                1 => http_head(bytes).is_some(),
                _ => quic_versions(bytes, [1; 8], [2; 8]).is_some(),
            };
            read[usize::from(kind % 3)] += usize::from(found);
        }
        assert!(read.iter().all(|count| *count > 0), "each reader reads a seed: {read:?}");
    }
}
