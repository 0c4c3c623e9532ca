//! The raw path: one ClientHello, and the server's answer in clear.

use parallax_model::{
    bytes::Bytes,
    facts::{AlertSeen, Facts, HelloSent, ServerAnswerFacts, TcpFacts, TlsEnd, TlsFacts},
    profile::Delivery,
};
use parallax_tls::{ServerAnswer, ServerHello, error::DecodeErrorKind, server_flight::KeyExchangeGroup};

use super::exchange::Exchange;
use crate::net::Connection;

/// Sends a hello, reads the answer in clear and closes.
pub(crate) async fn ask<C: Connection>(tcp: TcpFacts, mut exchange: Exchange<C>, wire: Vec<u8>, delivery: Delivery, server_name: Option<&str>) -> Facts {
    let hello = exchange.deliver(wire, delivery, server_name).await;
    let end = answer(&mut exchange).await;
    let end_us = exchange.elapsed_us();
    assemble(tcp, exchange, hello, end, end_us)
}

/// Closes the connection and puts the facts of its stages together.
pub(crate) fn assemble<C: Connection>(mut tcp: TcpFacts, exchange: Exchange<C>, hello: HelloSent, end: TlsEnd, end_us: u64) -> Facts {
    let noted = exchange.finish();
    tcp.at_end = noted.info;
    tcp.ack_ttl = noted.ack_ttl;
    let facts = TlsFacts {
        hello,
        end,
        end_us,
        first_byte_us: noted.first_byte_us,
        bytes_read: noted.bytes_read,
        answer: answer_facts(&noted.answer),
        handshake: None,
        certificates: noted.answer.certificates.into_iter().map(Bytes).collect(),
        transcript: noted.transcript,
    };
    Facts { tcp: Some(tcp), tls: Some(facts), ..Facts::default() }
}

/// Reads until the server's clear flight has ended.
pub(crate) async fn answer<C: Connection>(exchange: &mut Exchange<C>) -> TlsEnd {
    loop {
        if let Some(end) = end_of(exchange.answer()) {
            return end;
        }
        if let Err(end) = exchange.receive().await {
            return end;
        }
    }
}

/// Says how the clear flight ended, none while more of it may come.
pub(crate) fn end_of(answer: &ServerAnswer) -> Option<TlsEnd> {
    if let Some(alert) = answer.plaintext_alerts.iter().find(|alert| alert.is_fatal()) {
        return Some(TlsEnd::Alert(alert.description.0));
    }
    if answer.not_tls.is_some() {
        return Some(TlsEnd::NotTls);
    }
    if let Some(error) = answer.error {
        let too_large = matches!(error.kind, DecodeErrorKind::TooLarge { .. }) && error.what != "record header";
        return Some(if too_large { TlsEnd::OverCap } else { TlsEnd::Malformed });
    }
    // A HelloRetryRequest names version, suite and group: that is an answer.
    let named = answer.server_hello.is_some() || !answer.hello_retry_requests.is_empty();
    if answer.clear_part_ended() && !named {
        return Some(TlsEnd::Malformed);
    }
    (answer.clear_part_ended() || !answer.hello_retry_requests.is_empty()).then_some(TlsEnd::Answered)
}

/// Turns what a server said in clear into facts.
fn answer_facts(answer: &ServerAnswer) -> ServerAnswerFacts {
    let hello = answer.server_hello.as_ref().or_else(|| answer.hello_retry_requests.first());
    let exchange = answer.server_key_exchange.as_ref().map(|exchange| &exchange.group);
    let exchange_group = match exchange {
        Some(KeyExchangeGroup::Named(group)) => Some(group.0),
        Some(KeyExchangeGroup::FiniteField { .. }) | None => None,
    };
    let alert = |alert: &parallax_tls::Alert| AlertSeen { level: alert.level.0, description: alert.description.0, encrypted: false };
    ServerAnswerFacts {
        version: answer.version().map(|version| version.0),
        cipher_suite: hello.map(|hello| hello.cipher_suite.0),
        group: hello.and_then(ServerHello::selected_group).map(|group| group.0).or(exchange_group),
        dh_bits: exchange.and_then(KeyExchangeGroup::prime_bits).and_then(|bits| u16::try_from(bits).ok()),
        alpn: hello.and_then(ServerHello::alpn).map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
        extensions: hello.map(|hello| hello.extensions.iter().map(|(kind, _)| kind.0).collect()).unwrap_or_default(),
        hello_retry_requests: u8::try_from(answer.hello_retry_requests.len()).unwrap_or(u8::MAX),
        certificate_requested: answer.certificate_request.is_some(),
        alerts: answer.plaintext_alerts.iter().map(alert).collect(),
        encrypted_records: answer.saw_encrypted_records,
        not_tls: answer.not_tls.clone().map(Bytes),
    }
}
