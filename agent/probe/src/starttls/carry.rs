//! Carries a dialogue out on a connection.

use parallax_model::{
    facts::{StartTlsFacts, TlsEnd, UpgradeEnd},
    target::Scheme,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout_at},
};

use super::{Upgrade, dialogue::Turn};
use crate::{
    capture::micros,
    net::{Connection, stream_end},
    plan::Plan,
};

/// Says what the target's protocol wants said before TLS; none when it wants nothing.
pub(crate) async fn before_tls<C: Connection>(connection: &mut C, plan: &Plan, deadline: Instant) -> Option<StartTlsFacts> {
    let Scheme::StartTls(protocol) = plan.target.scheme else { return None };
    let mut talk =
        Talk { connection, upgrade: Upgrade::new(protocol, &plan.target.host.to_string()), started: Instant::now(), first_byte_us: None, bytes_read: 0 };
    let end = timeout_at(deadline, talk.run()).await.unwrap_or(UpgradeEnd::TimedOut);
    let Talk { upgrade, started, first_byte_us, bytes_read, .. } = talk;
    let heard = upgrade.heard().clone();
    Some(StartTlsFacts {
        end,
        greeting: heard.greeting,
        capabilities: heard.capabilities,
        offered: heard.offered,
        reply: heard.reply,
        first_byte_us,
        elapsed_us: micros(started.elapsed()),
        bytes_read,
        surplus_bytes: upgrade.surplus_bytes() as u64,
    })
}

/// Makes the connection ready for a ClientHello, for experiments that have no place for what was said; tells whether it is.
pub(crate) async fn to_tls<C: Connection>(connection: &mut C, plan: &Plan, deadline: Instant) -> bool {
    before_tls(connection, plan, deadline).await.is_none_or(|facts| facts.end == UpgradeEnd::Ready)
}

/// A dialogue on its connection.
struct Talk<'a, C> {
    connection: &'a mut C,
    upgrade: Upgrade,
    started: Instant,
    first_byte_us: Option<u64>,
    bytes_read: u64,
}

impl<C: Connection> Talk<'_, C> {
    async fn run(&mut self) -> UpgradeEnd {
        let mut turn = Turn { say: self.upgrade.opening(), end: None };
        let mut buffer = vec![0; READ_SIZE];
        loop {
            // A write that fails does not take away what the peer said before it went: the next read tells.
            let written = self.connection.write_all(&turn.say).await;
            match (turn.end, written) {
                (Some(UpgradeEnd::Ready), Err(error)) => return end_of(stream_end(&error)),
                (Some(end), _) => return end,
                (None, _) => {}
            }
            let count = match self.connection.read(&mut buffer).await {
                Ok(0) => return UpgradeEnd::Closed,
                Ok(count) => count,
                Err(error) => return end_of(stream_end(&error)),
            };
            self.first_byte_us.get_or_insert_with(|| micros(self.started.elapsed()));
            self.bytes_read += count as u64;
            turn = self.upgrade.feed(&buffer[..count]);
        }
    }
}

fn end_of(end: TlsEnd) -> UpgradeEnd {
    match end {
        TlsEnd::Reset => UpgradeEnd::Reset,
        TlsEnd::TimedOut => UpgradeEnd::TimedOut,
        TlsEnd::Unreachable(errno) => UpgradeEnd::Unreachable(errno),
        TlsEnd::LocalError(errno) => UpgradeEnd::LocalError(errno),
        _ => UpgradeEnd::Closed,
    }
}

const READ_SIZE: usize = 4 * 1024;
