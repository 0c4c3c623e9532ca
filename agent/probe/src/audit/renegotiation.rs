//! Whether a server begins a second handshake on a connection when the client wants one (RFC 5746), which costs it more than the client.

use parallax_model::facts::{AuditAnswer, VersionFacts};
use parallax_tls::{
    Extension,
    record::Deframer,
    registry::{CipherSuite, ProtocolVersion},
};

use super::{ask::answer_of, caller::Caller, driver::Driver, sessions};
use crate::{
    net::Net,
    tls::{self, Renegotiable, Said},
};

/// Finishes a handshake of TLS 1.2 and says ClientHello once more; none where the library cannot speak with the server by AES-GCM.
pub(super) async fn ask<N: Net>(driver: &Driver<'_, N>, caller: &Caller, version: &VersionFacts) -> Option<AuditAnswer> {
    let mut recipe = sessions::recipe(version)?;
    recipe.cipher_suites.retain(|suite| GCM_SUITES.contains(suite));
    let renegotiable = Renegotiable::of(&recipe, driver.plan.name_in(&recipe), driver.plan.address.ip())?;
    let mut open = sessions::open(driver, driver.plan.address, renegotiable.session()?, MOST_BYTES).await?.ok()?;
    let cipher_suite = open.session.negotiated(&open.session.seen(), 0)?.cipher_suite?;
    let keys = renegotiable.keys(cipher_suite, open.exchange.transcript())?;
    let mut offer = caller.offer(ProtocolVersion::TLS12, recipe.cipher_suites.iter().copied().map(CipherSuite).collect());
    offer.more = vec![Extension::ExtendedMasterSecret, Extension::RenegotiationInfo(keys.verify_data())];
    let mut hello = caller.ask(offer).hello;
    // In a second handshake the signal is an error (RFC 5746 section 3.5).
    hello.cipher_suites.retain(|suite| !suite.is_signal());
    open.exchange.send(&keys.seal(&hello, tls::random())?).await;
    let mut deframer = Deframer::new();
    let answer = loop {
        if let Ok(Some(record)) = deframer.next_record() {
            break match keys.open(&record) {
                Said::Hello => AuditAnswer::Hello,
                Said::Alert(alert) => AuditAnswer::Alert(alert.description.0),
                Said::Other => AuditAnswer::Malformed,
            };
        }
        match open.exchange.receive().await {
            Ok(()) if deframer.feed(open.exchange.received()).is_ok() => {}
            Ok(()) => break AuditAnswer::Malformed,
            Err(end) => break answer_of(end),
        }
    };
    open.finish(driver);
    Some(answer)
}

/// The suites of TLS 1.2 by which the second hello can be written.
const GCM_SUITES: [u16; 4] = [0xc02b, 0xc02c, 0xc02f, 0xc030];
/// The flight of a server with a long chain, and the client's.
const MOST_BYTES: u32 = 64 * 1024;
