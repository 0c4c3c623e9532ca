//! One attempt over QUIC: which versions a server speaks, and a handshake in version 1.

mod drive;
mod negotiation;

use std::io;

use parallax_model::{
    assignment::Experiment,
    facts::{Facts, HandshakeFacts, NotCompleted, QuicEnd, QuicFacts, TcpFacts},
    profile::{Delivery, HelloRecipe},
};
use tokio::time::Instant;

use crate::{
    net::{Connection as _, Datagrams as _, Dial, Net, datagram_end, out_of_resources},
    plan::Plan,
    tcp, tls,
};
use drive::{Drive, Noted};
pub(crate) use negotiation::read_versions;
use negotiation::{Negotiated, ask};

/// Makes one attempt; when UDP brings nothing, a TCP connection to the same address tells whether it is UDP alone.
pub(crate) async fn attempt<N: Net>(plan: &Plan, net: &N) -> Facts {
    let Some(recipe) = recipe(plan) else { return unsupported() };
    let deadline = Instant::now() + plan.attempt_time();
    let sockets = tokio::join!(net.datagrams(plan.address, plan.source_port), net.datagrams(plan.address, None));
    let (socket, asking) = match sockets {
        (Ok(socket), Ok(asking)) => (socket, asking),
        (Err(error), _) | (_, Err(error)) => return not_tried(plan, &recipe, &error),
    };
    let name = plan.name_in(&recipe);
    let Some(tls::Parts { config, name, recorder }) = tls::Parts::of(&recipe, name, plan.address.ip()) else { return unsupported() };
    let Some(mut drive) = Drive::new(config, &name.to_str(), &socket, plan.address) else { return unsupported() };
    let (end, negotiated) = tokio::join!(drive.run(deadline), ask(&asking, deadline));
    let seen = recorder.take();
    let noted = drive.noted;
    let handshake = noted.finished_us.map(|elapsed_us| HandshakeFacts {
        version: Some(TLS13),
        alpn: noted.alpn.clone(),
        signature_verified: seen.signature,
        staple: seen.staple,
        elapsed_us,
        ..HandshakeFacts::default()
    });
    let facts =
        QuicFacts { local: socket.local(), icmp_from: socket.icmp_from(), handshake, certificates: seen.chain, ..facts(plan, &recipe, end, noted, negotiated) };
    let contrast = if is_cut_off(end) { Some(tcp_contrast(plan, net).await) } else { None };
    Facts { tcp: contrast, quic: Some(facts), ..Facts::default() }
}

/// Returns the recipe as QUIC sends it: TLS 1.3 alone, and HTTP/3; none where profile or experiment have no such form.
fn recipe(plan: &Plan) -> Option<HelloRecipe> {
    use Experiment::{Baseline, ControlAfter, ControlName, NameCase, NoName, Slow, SourcePort};
    let possible = matches!(plan.experiment, Baseline | ControlAfter | ControlName | NameCase | NoName | Slow | SourcePort);
    let recipe = plan.profile.hello.clone();
    let has_form = recipe.versions.contains(&TLS13) && plan.profile.delivery == Delivery::Whole;
    let mut recipe = HelloRecipe { versions: vec![TLS13], alpn: vec![HTTP3.to_owned()], ..recipe };
    recipe.cipher_suites.retain(|suite| suite >> 8 == 0x13);
    (possible && has_form).then_some(recipe)
}

fn facts(plan: &Plan, recipe: &HelloRecipe, end: QuicEnd, noted: Noted, negotiated: Negotiated) -> QuicFacts {
    QuicFacts {
        remote: plan.address,
        local: None,
        end,
        server_name: plan.name_in(recipe).map(str::to_owned),
        version: 1,
        versions: negotiated.versions,
        negotiation_us: negotiated.after_us,
        retry: noted.retry,
        datagrams_sent: noted.datagrams_sent,
        datagrams_received: noted.datagrams_received,
        bytes_read: noted.bytes_read,
        first_datagram_us: noted.first_datagram_us,
        elapsed_us: noted.elapsed_us,
        reason: noted.reason,
        icmp_from: None,
        handshake: None,
        certificates: Vec::new(),
    }
}

fn is_cut_off(end: QuicEnd) -> bool {
    matches!(end, QuicEnd::TimedOut | QuicEnd::Refused | QuicEnd::Unreachable(_))
}

async fn tcp_contrast<N: Net>(plan: &Plan, net: &N) -> TcpFacts {
    let dial = Dial::to(plan.address, plan.connect_timeout());
    let dialled = net.dial(&dial).await;
    let facts = tcp::facts(&dial, &dialled);
    match dialled.connection {
        Some(connection) => TcpFacts { at_end: connection.info(), ..facts },
        None => facts,
    }
}

fn not_tried(plan: &Plan, recipe: &HelloRecipe, error: &io::Error) -> Facts {
    let lacking = error.raw_os_error().filter(|errno| out_of_resources(*errno));
    let facts = facts(plan, recipe, datagram_end(error), Noted::default(), Negotiated::default());
    Facts { not_completed: lacking.map(NotCompleted::OutOfResources), quic: Some(facts), ..Facts::default() }
}

fn unsupported() -> Facts {
    Facts { not_completed: Some(NotCompleted::Unsupported), ..Facts::default() }
}

const TLS13: u16 = 0x0304;
const HTTP3: &str = "h3";
