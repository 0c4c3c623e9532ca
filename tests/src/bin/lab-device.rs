//! Userspace devices of the lab: a client that tells what it saw, a relay that reads ClientHellos, an intercepting proxy, injectors, a server over QUIC; and the probe engine alone.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use parallax_tests::{
    device::{
        client::{Call, call},
        defect::Defect,
        front::{End, Front, Part},
        inject::{Forgery, Injector},
        intercept, measure,
        outrun::Outrunner,
        queue::{Deed, Holder},
        quic,
        relic::{Relic, Relics},
        wire::Wire,
    },
    lab::{Authority, scenario::Hello},
};

#[derive(Parser)]
#[command(about = "Userspace devices of the lab")]
enum Device {
    /// Makes one connection and prints what was seen, as JSON.
    Look {
        address: SocketAddr,
        #[arg(long, default_value = "")]
        name: String,
        #[arg(long, value_enum, default_value = "small")]
        hello: Kind,
        #[arg(long)]
        mss: Option<u32>,
    },
    /// Relays to a server after a look at the ClientHello.
    Front {
        #[arg(long)]
        listen: SocketAddr,
        /// The server; where a firewall redirected the connection from, if absent.
        #[arg(long)]
        upstream: Option<SocketAddr>,
        /// Ends connections whose ClientHello does not hold this name.
        #[arg(long)]
        only_name: Option<String>,
        /// Ends connections whose ClientHello holds this name.
        #[arg(long)]
        not_name: Option<String>,
        /// Reads once, at most so many bytes, and closes if the ClientHello is not complete.
        #[arg(long)]
        read_once: Option<usize>,
        /// Ends connections whose ClientHello has this.
        #[arg(long, value_enum)]
        defect: Option<Defect>,
        /// Answers what the server turns down of this, with the certificates of `--chain`.
        #[arg(long, value_enum, requires = "chain")]
        relic: Option<Relic>,
        /// The certificates (PEM) that are shown with it.
        #[arg(long)]
        chain: Option<PathBuf>,
        /// Hides this part of the ClientHello from the server.
        #[arg(long, value_enum)]
        takes_out: Option<Part>,
        /// How connections are ended: `reset`, `close`, `silence`, or the number of an alert.
        #[arg(long, default_value = "reset")]
        end: End,
    },
    /// Makes two TAP interfaces and carries frames between them, late and with loss.
    Wire {
        left: String,
        right: String,
        #[arg(long, default_value_t = 0)]
        delay_ms: u64,
        #[arg(long, default_value_t = 0)]
        lost_per_million: u32,
    },
    /// Answers packets that carry a name in the server's place.
    Inject {
        #[arg(long)]
        name: String,
        /// What is sent: `reset`, `close`, or the number of an alert.
        #[arg(long)]
        forge: Forgery,
        /// The hop limit that it is sent with.
        #[arg(long)]
        ttl: u8,
        /// Packets with a smaller hop limit are left alone.
        #[arg(long, default_value_t = 0)]
        least_ttl: u8,
    },
    /// Holds the packets of a kernel's queue (`NFQUEUE`) until it has decided on them.
    Queue {
        /// The queue's number.
        #[arg(long)]
        number: u16,
        /// Meets only connections whose stream holds this name.
        #[arg(long)]
        name: Option<String>,
        /// What it does: `drop`, `reset`, `lose-first`, `lose-continued`, or the milliseconds that packets are late.
        #[arg(long)]
        deed: Deed,
    },
    /// Answers DNS queries for a name before the resolver does.
    Outrun {
        #[arg(long)]
        name: String,
        /// The address that it is given.
        #[arg(long)]
        address: Ipv4Addr,
    },
    /// Makes one attempt of the probe engine and prints its facts, as JSON.
    Measure(measure::Attempt),
    /// Serves QUIC.
    Quic {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        chain: PathBuf,
        #[arg(long)]
        key: PathBuf,
    },
    /// Ends TLS that a firewall redirected here, and signs anew.
    Intercept {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long, default_value = "Inspection")]
        authority: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Small,
    Large,
    Tls12,
    Split,
    Garbage,
}

fn main() -> anyhow::Result<()> {
    match Device::parse() {
        Device::Look { address, name, hello, mss } => {
            let hello = match hello {
                Kind::Small => Hello::Small,
                Kind::Large => Hello::Large,
                Kind::Tls12 => Hello::Tls12,
                Kind::Split => Hello::Split,
                Kind::Garbage => Hello::Garbage,
            };
            let contact = call(&Call { address, name, hello, mss });
            writeln!(std::io::stdout(), "{}", serde_json::to_string(&contact)?)?;
        }
        Device::Front { listen, upstream, only_name, not_name, read_once, defect, relic, chain, takes_out, end } => {
            let relics = relic.zip(chain).map(|(relic, chain)| Relics::new(relic, &chain)).transpose()?;
            Front { listen, upstream, only_name, not_name, read_once, defect, relics, takes_out, end }.serve()?;
        }
        Device::Wire { left, right, delay_ms, lost_per_million } => Wire { delay: Duration::from_millis(delay_ms), lost_per_million }.serve(&left, &right)?,
        Device::Inject { name, forge, ttl, least_ttl } => Injector { name, forge, ttl, least_ttl }.serve()?,
        Device::Queue { number, name, deed } => Holder { name, deed }.serve(number)?,
        Device::Outrun { name, address } => Outrunner { name, address }.serve()?,
        Device::Measure(attempt) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            writeln!(std::io::stdout(), "{}", serde_json::to_string(&runtime.block_on(attempt.make())?)?)?;
        }
        Device::Quic { listen, chain, key } => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(quic::serve(listen, &chain, &key))?;
        }
        Device::Intercept { listen, authority } => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(intercept::serve(listen, Authority::new(&authority)?))?;
        }
    }
    Ok(())
}
