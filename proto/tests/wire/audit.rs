//! Generators of what an audit saw.

use parallax_model::facts::*;
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::{facts::text, words::bytes};

pub(crate) fn audit() -> impl Strategy<Value = AuditFacts> {
    let stops = select(vec![AuditStop::Connections, AuditStop::Time, AuditStop::Bytes, AuditStop::Vanished]);
    let cost = (any::<u32>(), any::<u64>(), any::<u64>(), option::of(stops));
    let hello = (option::of(ssl2().boxed()), vec(version().boxed(), 0..3), option::of(features().boxed()), key_exchange().boxed(), option::of(alpn()));
    let server = (sessions().boxed(), vec(vec(bytes(64), 0..3), 0..3), vec(certificate().boxed(), 0..3), option::of(client_certificate().boxed()));
    let http2 = select(vec![Http2Answer::Settings, Http2Answer::Http1, Http2Answer::Other, Http2Answer::Ended, Http2Answer::Silence]);
    let rest = (vec(rung(), 0..4), option::of("[0-9a-f]{62}"), option::of("[0-9a-f]{32}"), option::of(answer()), option::of(http2));
    (cost, hello, server, rest).prop_map(|(cost, hello, server, rest)| AuditFacts {
        connections: cost.0,
        elapsed_us: cost.1,
        bytes_read: cost.2,
        stopped: cost.3,
        ssl2: hello.0,
        versions: hello.1,
        features: hello.2,
        key_exchange: hello.3,
        alpn: hello.4,
        sessions: server.0,
        chains: server.1,
        certificates: server.2,
        client_certificate: server.3,
        tolerance: rest.0,
        jarm: rest.1,
        ja3s: rest.2,
        renegotiation: rest.3,
        http2: rest.4,
    })
}

fn answer() -> impl Strategy<Value = AuditAnswer> {
    let plain = vec![
        AuditAnswer::Hello,
        AuditAnswer::Closed,
        AuditAnswer::Reset,
        AuditAnswer::Silence,
        AuditAnswer::NotTls,
        AuditAnswer::Malformed,
        AuditAnswer::OverCap,
        AuditAnswer::Broken,
        AuditAnswer::NotConnected,
    ];
    prop_oneof![4 => select(plain), 1 => any::<u8>().prop_map(AuditAnswer::Alert), 1 => any::<u16>().prop_map(AuditAnswer::OtherVersion)]
}

fn accepted() -> impl Strategy<Value = Accepted> {
    let parts = (vec(any::<u16>(), 0..300), option::of(answer()), option::of(any::<bool>()));
    parts.prop_map(|(numbers, refusal, server_order)| Accepted { numbers, refusal, server_order })
}

fn ssl2() -> impl Strategy<Value = Ssl2Facts> {
    (answer(), vec(any::<u32>(), 0..4)).prop_map(|(answer, cipher_kinds)| Ssl2Facts { answer, cipher_kinds })
}

fn version() -> impl Strategy<Value = VersionFacts> {
    let lists = (accepted().boxed(), accepted().boxed(), accepted().boxed());
    let parts = (any::<u16>(), answer(), lists, option::of(any::<bool>()), option::of(any::<u16>()));
    parts.prop_map(|(version, answer, (suites, groups, signature_schemes), prefers_chacha, unoffered_suite)| VersionFacts {
        version,
        answer,
        suites,
        prefers_chacha,
        groups,
        signature_schemes,
        unoffered_suite,
    })
}

fn features() -> impl Strategy<Value = FeatureFacts> {
    let numbers = (any::<u16>(), any::<u16>(), vec(any::<u16>(), 0..6), any::<u8>(), any::<u8>());
    let flags = (any::<[bool; 4]>(), option::of(any::<bool>()), option::of(any::<u8>()), option::of(any::<u8>()));
    (numbers, flags, option::of(vec(text(), 0..3)), option::of(answer())).prop_map(|(numbers, flags, next_protocols, fallback_scsv)| FeatureFacts {
        version: numbers.0,
        cipher_suite: numbers.1,
        extensions: numbers.2,
        compression: numbers.3,
        session_id_bytes: numbers.4,
        renegotiation_info: flags.0[0],
        extended_master_secret: flags.0[1],
        session_ticket: flags.0[2],
        session_id_echoed: flags.0[3],
        encrypt_then_mac: flags.1,
        heartbeat: flags.2,
        downgrade_sentinel: flags.3,
        next_protocols,
        fallback_scsv,
    })
}

fn key_exchange() -> impl Strategy<Value = KeyExchangeFacts> {
    let share = (any::<u16>(), answer(), any::<bool>(), any::<u32>());
    let shares = vec(share.prop_map(|(group, answer, taken, bytes_sent)| ShareFacts { group, answer, taken, bytes_sent }), 0..3);
    let field = (any::<u32>(), bytes(64), bytes(4), option::of(text()), option::of(any::<bool>()));
    let field =
        field.prop_map(|(prime_bits, prime, generator, well_known, value_reused)| FiniteFieldFacts { prime_bits, prime, generator, well_known, value_reused });
    (shares, option::of(field), option::of(any::<bool>())).prop_map(|(hybrid_shares, finite_field, curve_value_reused)| KeyExchangeFacts {
        hybrid_shares,
        finite_field,
        curve_value_reused,
    })
}

fn alpn() -> impl Strategy<Value = AlpnFacts> {
    (vec(text(), 0..3), option::of(answer())).prop_map(|(accepted, no_overlap)| AlpnFacts { accepted, no_overlap })
}

fn sessions() -> impl Strategy<Value = SessionFacts> {
    let outcome = || select(vec![Resumption::Resumed, Resumption::Refused, Resumption::NotIssued]);
    let resumption = || option::of(outcome());
    let elsewhere = (any::<std::net::SocketAddrV4>(), any::<u16>(), outcome()).prop_map(|(address, version, resumption)| ElsewhereFacts {
        address: address.into(),
        version,
        resumption,
    });
    let numbers = (option::of(any::<u32>()), option::of(any::<u32>()), option::of(any::<u8>()), option::of(any::<u32>()));
    let taken_up = (resumption(), resumption(), resumption(), resumption(), vec(elsewhere, 0..3));
    (taken_up, numbers, option::of(bytes(16))).prop_map(|(taken_up, numbers, ticket_key_name)| SessionFacts {
        tls12_ticket: taken_up.0,
        tls12_id: taken_up.1,
        tls13_psk: taken_up.2,
        across_names: taken_up.3,
        elsewhere: taken_up.4,
        tls12_lifetime_seconds: numbers.0,
        tls13_lifetime_seconds: numbers.1,
        tls13_tickets: numbers.2,
        max_early_data_bytes: numbers.3,
        ticket_key_name,
    })
}

fn certificate() -> impl Strategy<Value = CertificateFacts> {
    let asks = vec![CertificateAsk::OwnName, CertificateAsk::NoName, CertificateAsk::OtherName, CertificateAsk::Rsa, CertificateAsk::Ecdsa];
    let chosen = (option::of(any::<u16>()), option::of(any::<u16>()), option::of(any::<u32>()));
    let parts = (select(asks), option::of(text()), answer(), chosen, option::of(bytes(64)), option::of(bytes(64)));
    parts.prop_map(|(ask, server_name, answer, (version, cipher_suite, chain), staple, timestamps)| CertificateFacts {
        ask,
        server_name,
        answer,
        version,
        cipher_suite,
        chain,
        staple,
        timestamps,
    })
}

fn client_certificate() -> impl Strategy<Value = ClientCertificateFacts> {
    let parts = (vec(any::<u8>(), 0..4), vec(any::<u16>(), 0..4), vec(bytes(64), 0..3), any::<u32>(), any::<u64>());
    parts.prop_map(|(certificate_types, signature_schemes, authorities, authorities_count, flight_bytes)| ClientCertificateFacts {
        certificate_types,
        signature_schemes,
        authorities,
        authorities_count,
        flight_bytes,
    })
}

fn rung() -> impl Strategy<Value = RungFacts> {
    let name = prop_oneof![select(Rung::ALL).prop_map(|rung| rung.as_str().to_owned()), text()];
    (name, any::<u32>(), answer(), any::<u64>()).prop_map(|(name, bytes_sent, answer, elapsed_us)| RungFacts { name, bytes_sent, answer, elapsed_us })
}
