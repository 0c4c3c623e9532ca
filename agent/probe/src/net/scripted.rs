//! A network made of rules, for tests that run in paused time: what a peer answers follows from how it is dialled and what is sent.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future as _, poll_fn},
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use parallax_model::facts::{ConnectEnd, TcpInfo};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::{Connection, Datagrams, Dial, Dialled, Icmp, Net};

/// A network whose peers do what a rule says.
#[derive(Clone)]
pub struct Scripted {
    rule: Arc<dyn Fn(&Dial) -> Peer + Send + Sync>,
    datagrams: Echo,
    dialled: Arc<Mutex<Vec<Dial>>>,
}

/// What a peer does with one connection.
#[derive(Clone)]
pub struct Peer {
    /// How connecting ends.
    pub end: ConnectEnd,
    /// After how long; a time-out takes the dial's time.
    pub after: Duration,
    /// The ICMP error that ends it.
    pub icmp: Option<Icmp>,
    /// The arrival TTL of the answer to the SYN; below the dial's threshold nothing arrives.
    pub ttl: u8,
    /// The arrival TTL of the acknowledgement of what was sent, if the kernel tells; a reset that is next tells of none.
    pub ack_ttl: Option<u8>,
    /// What comes back once something was sent.
    pub answer: Answer,
    /// What the kernel says about the connection.
    pub info: TcpInfo,
}

/// What a datagram brings: another, nothing, or an ICMP error.
type Echo = Arc<dyn Fn(&[u8]) -> io::Result<Option<Vec<u8>>> + Send + Sync>;

/// What comes back, given the first bytes sent and the hop limit they were sent with.
pub type Answer = Arc<dyn Fn(&[u8], Option<u8>) -> Vec<Step> + Send + Sync>;

/// One thing that arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing, for so long.
    Wait(Duration),
    /// Bytes, in packets of this TTL.
    Bytes(Vec<u8>, u8),
    /// A FIN of this TTL.
    Close(u8),
    /// A reset of this TTL.
    Reset(u8),
    /// An ICMP error, as an errno.
    Error(i32),
}

impl Peer {
    /// Makes a peer at 61 that accepts after 10 ms and answers the first bytes like this.
    pub fn accepting(answer: impl Fn(&[u8], Option<u8>) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let info = TcpInfo { state: 1, send_mss: 1_448, rtt_us: 10_000, ..TcpInfo::default() };
        Self { end: ConnectEnd::Connected, after: Duration::from_millis(10), icmp: None, ttl: 61, ack_ttl: None, answer: Arc::new(answer), info }
    }

    /// Makes a peer with which connecting ends like this after 10 ms.
    pub fn ending(end: ConnectEnd) -> Self {
        Self { end, ..Self::accepting(|_, _| Vec::new()) }
    }
}

impl Scripted {
    /// Makes a network of this rule.
    pub fn new(rule: impl Fn(&Dial) -> Peer + Send + Sync + 'static) -> Self {
        Self { rule: Arc::new(rule), datagrams: Arc::new(|_| Ok(None)), dialled: Arc::default() }
    }

    /// Answers each datagram like this; without it UDP is swallowed.
    #[must_use]
    pub fn answering_datagrams(self, answer: impl Fn(&[u8]) -> io::Result<Option<Vec<u8>>> + Send + Sync + 'static) -> Self {
        Self { datagrams: Arc::new(answer), ..self }
    }

    /// Returns every dial so far, in order.
    pub fn dialled(&self) -> Vec<Dial> {
        lock(&self.dialled).clone()
    }
}

impl Net for Scripted {
    type Connection = ScriptedConnection;
    type Datagrams = ScriptedDatagrams;

    async fn datagrams(&self, remote: SocketAddr, _source_port: Option<u16>) -> io::Result<ScriptedDatagrams> {
        Ok(ScriptedDatagrams { remote, answer: Arc::clone(&self.datagrams), arrived: Mutex::default(), rings: Notify::new() })
    }

    async fn dial(&self, dial: &Dial) -> Dialled<ScriptedConnection> {
        lock(&self.dialled).push(dial.clone());
        let peer = (self.rule)(dial);
        let lost = dial.least_ttl.is_some_and(|least| peer.ttl < least);
        if lost || peer.end == ConnectEnd::TimedOut || peer.after > dial.timeout {
            sleep(dial.timeout).await;
            return Dialled::failed(ConnectEnd::TimedOut, dial.timeout);
        }
        sleep(peer.after).await;
        let connected = peer.end == ConnectEnd::Connected;
        let connection = ScriptedConnection(Mutex::new(State {
            answer: Arc::clone(&peer.answer),
            info: peer.info,
            ack_ttl: peer.ack_ttl,
            hop_limit: dial.hop_limit,
            least_ttl: dial.least_ttl.unwrap_or(0),
            steps: VecDeque::new(),
            sent: false,
            sleep: None,
            waiting: None,
        }));
        Dialled {
            end: peer.end,
            connection: connected.then_some(connection),
            elapsed: peer.after,
            local: Some(([192, 0, 2, 1], dial.source_port.unwrap_or(40_000)).into()),
            icmp: peer.icmp,
            info: Some(peer.info),
        }
    }
}

/// A connection to a scripted peer.
pub struct ScriptedConnection(Mutex<State>);

struct State {
    answer: Answer,
    info: TcpInfo,
    ack_ttl: Option<u8>,
    hop_limit: Option<u8>,
    least_ttl: u8,
    steps: VecDeque<Step>,
    sent: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    waiting: Option<Waker>,
}

impl State {
    /// Lets time pass until something arrives that the threshold does not drop; never when the script is over.
    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.steps.front() {
                None => {
                    self.waiting = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Some(Step::Wait(span)) => {
                    let until = Instant::now() + *span;
                    let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
                    std::task::ready!(sleep.as_mut().poll(cx));
                    self.sleep = None;
                }
                Some(Step::Bytes(_, ttl) | Step::Close(ttl) | Step::Reset(ttl)) if *ttl < self.least_ttl => {}
                Some(_) => return Poll::Ready(()),
            }
            self.steps.pop_front();
        }
    }
}

impl Connection for ScriptedConnection {
    fn info(&self) -> Option<TcpInfo> {
        Some(lock(&self.0).info)
    }

    fn set_hop_limit(&self, hop_limit: Option<u8>) {
        lock(&self.0).hop_limit = hop_limit;
    }

    fn set_least_ttl(&self, least: u8) {
        lock(&self.0).least_ttl = least;
    }

    fn heed_icmp(&self) {}

    async fn stirs(&self) {
        poll_fn(|cx| lock(&self.0).poll_front(cx)).await;
    }

    fn take_error(&self) -> Option<i32> {
        let mut state = lock(&self.0);
        match state.steps.front() {
            Some(Step::Error(errno)) => {
                let errno = *errno;
                state.steps.pop_front();
                Some(errno)
            }
            _ => None,
        }
    }

    fn reset_on_close(&self) {}

    fn ack_ttl(&self) -> Option<u8> {
        let state = lock(&self.0);
        state.ack_ttl.filter(|_| state.sent && !matches!(state.steps.front(), Some(Step::Reset(_))))
    }
}

impl AsyncRead for ScriptedConnection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        std::task::ready!(state.poll_front(cx));
        match state.steps.front_mut() {
            Some(Step::Bytes(bytes, _)) => {
                let count = bytes.len().min(into.remaining());
                into.put_slice(&bytes[..count]);
                bytes.drain(..count);
                if bytes.is_empty() {
                    state.steps.pop_front();
                }
                Poll::Ready(Ok(()))
            }
            // Both stay: what was closed stays closed.
            Some(Step::Close(_)) => Poll::Ready(Ok(())),
            Some(Step::Reset(_)) => Poll::Ready(Err(io::Error::from_raw_os_error(libc::ECONNRESET))),
            // As with a kernel, a reader is not woken by an ICMP error.
            Some(Step::Error(_) | Step::Wait(_)) | None => Poll::Pending,
        }
    }
}

impl AsyncWrite for ScriptedConnection {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0);
        if !state.sent {
            state.sent = true;
            let steps = (state.answer)(bytes, state.hop_limit);
            state.steps.extend(steps);
        }
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A scripted UDP socket.
pub struct ScriptedDatagrams {
    remote: SocketAddr,
    answer: Echo,
    arrived: Mutex<VecDeque<io::Result<Vec<u8>>>>,
    rings: Notify,
}

impl Datagrams for ScriptedDatagrams {
    async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        if let Some(arrived) = (self.answer)(bytes).transpose() {
            lock(&self.arrived).push_back(arrived);
            self.rings.notify_one();
        }
        Ok(())
    }

    async fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let arrived = lock(&self.arrived).pop_front();
            match arrived {
                Some(datagram) => {
                    let datagram = datagram?;
                    let count = datagram.len().min(into.len());
                    into[..count].copy_from_slice(&datagram[..count]);
                    return Ok(count);
                }
                None => self.rings.notified().await,
            }
        }
    }

    fn local(&self) -> Option<SocketAddr> {
        Some(([192, 0, 2, 1], 50_000).into())
    }

    fn icmp_from(&self) -> Option<IpAddr> {
        Some(self.remote.ip())
    }
}

impl fmt::Debug for ScriptedDatagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedDatagrams").field("remote", &self.remote).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").field("dialled", &self.dialled).finish_non_exhaustive()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("end", &self.end).field("after", &self.after).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl fmt::Debug for ScriptedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedConnection").finish_non_exhaustive()
    }
}
