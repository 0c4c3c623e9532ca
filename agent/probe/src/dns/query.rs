//! One question to one server.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    time::Duration,
};

use futures_util::future::{Either, select};
use hickory_proto::{
    op::{Message, MessageType, Query, ResponseCode},
    rr::{Name, RData, RecordType, rdata::svcb::SvcParamValue},
};
use parallax_model::facts::{DnsAnswer, DnsRecord, DnsTransport, LookupEnd, ServiceRecord};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::{Instant, sleep_until, timeout_at},
};

use crate::capture::micros;

/// An answer, and the addresses in it.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) answer: DnsAnswer,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) services: Vec<ServiceRecord>,
    /// What the same servers said by TCP, where UDP did not settle it.
    pub(super) again_by_tcp: Vec<DnsAnswer>,
}

impl Answered {
    /// Makes the answer of a lookup that never came to a query.
    pub(super) fn without_query(record_type: RecordType, end: LookupEnd) -> Self {
        let answer = DnsAnswer {
            record_type: record_type.into(),
            server: None,
            transport: DnsTransport::Udp,
            end,
            records: Vec::new(),
            elapsed_us: 0,
            second_answer: false,
            second_records: Vec::new(),
        };
        Self { answer, addresses: Vec::new(), services: Vec::new(), again_by_tcp: Vec::new() }
    }

    /// Makes the answer of a query that was sent.
    pub(super) fn of(record_type: RecordType, server: SocketAddr, transport: DnsTransport, exchange: Result<Received, LookupEnd>, elapsed: Duration) -> Self {
        let mut answered = Self::without_query(record_type, LookupEnd::Malformed);
        answered.answer.server = Some(server);
        answered.answer.transport = transport;
        match exchange {
            Ok(Received { message, after, second }) => {
                answered.answer.end = LookupEnd::Response(message.metadata.response_code.into());
                answered.answer.elapsed_us = micros(after);
                answered.answer.second_answer = second.is_some();
                answered.answer.second_records = second.iter().flat_map(|message| &message.answers).map(record_facts).collect();
                answered.addresses = message.answers.iter().filter_map(|record| record.data.ip_addr()).collect();
                (answered.answer.records, answered.services) = contents(&message);
            }
            Err(end) => {
                answered.answer.end = end;
                answered.answer.elapsed_us = micros(elapsed);
            }
        }
        answered
    }
}

/// Reads a datagram as the answer to a lookup of the addresses of `x.test` that was sent with the number 0.
pub(crate) fn read_answer(datagram: &[u8]) -> Option<(Vec<DnsRecord>, Vec<ServiceRecord>)> {
    let mut query = Message::query();
    query.metadata.id = 0;
    query.add_query(Query::query(Name::from_ascii("x.test.").ok()?, RecordType::A));
    let Response::Matches(message) = response_to(&query, datagram) else { return None };
    Some(contents(&message))
}

/// Returns the records of an answer, and what it says of the service.
fn contents(message: &Message) -> (Vec<DnsRecord>, Vec<ServiceRecord>) {
    let records = message.answers.iter().map(record_facts).collect();
    (records, message.answers.iter().filter_map(service_facts).take(MAX_SERVICES).collect())
}

/// One question, and its bytes.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) record_type: RecordType,
    pub(super) query: Message,
    pub(super) bytes: Vec<u8>,
}

impl Question {
    /// Makes a question; none when the name fits no message.
    pub(super) fn of(name: &Name, record_type: RecordType) -> Option<Self> {
        let mut query = Message::query();
        query.metadata.recursion_desired = true;
        query.add_query(Query::query(name.clone(), record_type));
        let bytes = query.to_vec().ok()?;
        Some(Self { record_type, query, bytes })
    }

    /// Returns the question as it goes over a stream, behind its length (RFC 1035 section 4.2.2).
    pub(super) fn framed(&self) -> Result<Vec<u8>, LookupEnd> {
        let length = u16::try_from(self.bytes.len()).map_err(|_| LookupEnd::Malformed)?;
        Ok([&length.to_be_bytes(), self.bytes.as_slice()].concat())
    }

    /// Reads bytes as the response to this question.
    pub(super) fn response(&self, bytes: &[u8]) -> Result<Message, LookupEnd> {
        match response_to(&self.query, bytes) {
            Response::Matches(message) => Ok(*message),
            Response::NotDns | Response::OfAnotherQuery => Err(LookupEnd::Malformed),
        }
    }
}

/// Asks by UDP, and by TCP when the answer was truncated; or by TCP alone.
///
/// Where UDP brings no answer for a while, or two different ones, the same server is asked by TCP beside it.
pub(super) async fn ask(name: &Name, record_type: RecordType, (server, transport): (SocketAddr, DnsTransport), deadline: Instant) -> Answered {
    let started = Instant::now();
    let Some(question) = Question::of(name, record_type) else {
        return Answered::of(record_type, server, transport, Err(LookupEnd::Malformed), Duration::ZERO);
    };
    let of = |transport, exchange| Answered::of(record_type, server, transport, exchange, started.elapsed());
    if transport == DnsTransport::Tcp {
        let exchange = by_tcp(&question, server, deadline).await;
        return of(DnsTransport::Tcp, exchange);
    }
    let beside = pin!(async {
        sleep_until(started + TCP_AFTER.min(deadline.saturating_duration_since(started) / 2)).await;
        by_tcp(&question, server, deadline).await
    });
    let (exchange, beside) = match select(pin!(by_udp(&question, server, deadline)), beside).await {
        Either::Left((exchange, _)) => (exchange, None),
        Either::Right((beside, udp)) => (udp.await, Some(beside)),
    };
    let is_settled = match &exchange {
        Ok(Received { message, .. }) if message.metadata.truncation => {
            let exchange = by_tcp(&question, server, deadline).await;
            return of(DnsTransport::Tcp, exchange);
        }
        Ok(Received { second, .. }) => second.is_none(),
        Err(_) => false,
    };
    let mut answered = of(DnsTransport::Udp, exchange);
    if !is_settled {
        let again = match beside {
            Some(again) => again,
            None => by_tcp(&question, server, deadline.min(Instant::now() + TCP_AFTER)).await,
        };
        answered.again_by_tcp.push(of(DnsTransport::Tcp, again).answer);
    }
    answered
}

/// What came back.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) message: Message,
    pub(super) after: Duration,
    /// Another answer to the same query.
    pub(super) second: Option<Message>,
}

async fn by_udp(question: &Question, server: SocketAddr, deadline: Instant) -> Result<Received, LookupEnd> {
    let Question { query, bytes, .. } = question;
    let any: SocketAddr = if server.is_ipv6() { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(failed)?;
    socket.connect(server).await.map_err(failed)?;
    let mut malformed = false;
    let mut sent_once = true;
    let mut buffer = vec![0; MAX_DATAGRAM];
    while Instant::now() < deadline {
        let sent = Instant::now();
        socket.send(bytes).await.map_err(failed)?;
        // A lost datagram is asked again, from the same port and with the same number.
        let again = deadline.min(sent + RESEND_AFTER);
        while let Ok(received) = timeout_at(again, socket.recv(&mut buffer)).await {
            let length = received.map_err(failed)?;
            match response_to(query, &buffer[..length]) {
                Response::Matches(message) => {
                    let after = sent.elapsed();
                    // A query that was sent twice may well get two answers of a server that shuffles.
                    let second = if sent_once { another_answer(query, &message, &socket, listening_time(server.ip(), after)).await } else { None };
                    return Ok(Received { message: *message, after, second });
                }
                Response::NotDns => malformed = true,
                Response::OfAnotherQuery => {}
            }
        }
        sent_once = false;
    }
    Err(if malformed { LookupEnd::Malformed } else { LookupEnd::TimedOut })
}

/// Returns how long a second answer is waited for: nobody outruns a resolver of the same network by much, and a distant one is outrun by its whole distance.
fn listening_time(server: IpAddr, first_after: Duration) -> Duration {
    let near = match server.to_canonical() {
        IpAddr::V4(server) => server.is_loopback() || server.is_private() || server.is_link_local(),
        IpAddr::V6(server) => server.is_loopback() || server.is_unique_local() || server.is_unicast_link_local(),
    };
    let least = if near { LISTEN_NEAR } else { LISTEN_FAR };
    (first_after * 2 + LISTEN_NEAR).clamp(least, LISTEN_AT_MOST)
}

/// Listens for another answer that says something else: one that was slipped in does not keep the genuine one from arriving.
async fn another_answer(query: &Message, first: &Message, socket: &UdpSocket, time: Duration) -> Option<Message> {
    let until = Instant::now() + time;
    let mut buffer = vec![0; MAX_DATAGRAM];
    while let Ok(Ok(length)) = timeout_at(until, socket.recv(&mut buffer)).await {
        if let Response::Matches(second) = response_to(query, &buffer[..length])
            && says(&second) != says(first)
        {
            return Some(*second);
        }
    }
    None
}

/// Returns what a response says, whatever the order of its records.
fn says(message: &Message) -> (ResponseCode, Vec<String>) {
    let mut data: Vec<String> = message.answers.iter().map(|record| record.data.to_string()).collect();
    data.sort();
    (message.metadata.response_code, data)
}

async fn by_tcp(question: &Question, server: SocketAddr, deadline: Instant) -> Result<Received, LookupEnd> {
    let started = Instant::now();
    let exchange = async {
        let mut stream = TcpStream::connect(server).await.map_err(failed)?;
        stream.write_all(&question.framed()?).await.map_err(failed)?;
        let length = stream.read_u16().await.map_err(failed)?;
        let mut buffer = vec![0; usize::from(length)];
        stream.read_exact(&mut buffer).await.map_err(failed)?;
        question.response(&buffer)
    };
    let message = timeout_at(deadline, exchange).await.unwrap_or(Err(LookupEnd::TimedOut))?;
    Ok(Received { message, after: started.elapsed(), second: None })
}

enum Response {
    Matches(Box<Message>),
    OfAnotherQuery,
    NotDns,
}

fn response_to(query: &Message, bytes: &[u8]) -> Response {
    let Ok(message) = Message::from_vec(bytes) else { return Response::NotDns };
    let same_question = message.queries.is_empty() || message.queries.iter().zip(&query.queries).all(|(theirs, ours)| theirs == ours);
    if message.metadata.id == query.metadata.id && message.metadata.message_type == MessageType::Response && same_question {
        Response::Matches(Box::new(message))
    } else {
        Response::OfAnotherQuery
    }
}

fn record_facts(record: &hickory_proto::rr::Record) -> DnsRecord {
    let name = record.name.to_ascii();
    DnsRecord {
        name: if name.len() > 1 { name.trim_end_matches('.').to_owned() } else { name },
        record_type: record.record_type().into(),
        ttl_seconds: record.ttl,
        data: record.data.to_string().chars().take(MAX_DATA_CHARS).collect(),
    }
}

fn service_facts(record: &hickory_proto::rr::Record) -> Option<ServiceRecord> {
    let RData::HTTPS(https) = &record.data else { return None };
    let mut service = ServiceRecord { priority: https.svc_priority, target: https.target_name.to_ascii(), alpn: Vec::new(), port: None, ech: false };
    for (_, value) in &https.svc_params {
        match value {
            SvcParamValue::Alpn(alpn) => service.alpn.extend(alpn.0.iter().take(MAX_SERVICES).map(|protocol| protocol.chars().take(MAX_DATA_CHARS).collect())),
            SvcParamValue::Port(port) => service.port = Some(*port),
            SvcParamValue::EchConfigList(list) => service.ech = !list.0.is_empty(),
            _ => {}
        }
    }
    Some(service)
}

/// Returns how a lookup ended whose socket failed.
pub(super) fn failed(error: io::Error) -> LookupEnd {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => LookupEnd::Malformed,
        _ => LookupEnd::Failed(error.raw_os_error().unwrap_or(0)),
    }
}

const MAX_DATAGRAM: usize = 4_096;
const MAX_DATA_CHARS: usize = 512;
const RESEND_AFTER: Duration = Duration::from_secs(1);
/// How long UDP is waited for before TCP is tried beside it: a lost datagram has been sent again by then.
const TCP_AFTER: Duration = Duration::from_millis(1_500);
const LISTEN_NEAR: Duration = Duration::from_millis(20);
/// The round trip of nearly all public resolvers; a row does not begin before the listening ends.
const LISTEN_FAR: Duration = Duration::from_millis(60);
const LISTEN_AT_MOST: Duration = Duration::from_millis(300);
const MAX_SERVICES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distant_resolver_is_listened_to_longer_than_its_first_answer_asks_for() {
        let millis = Duration::from_millis;
        for (server, first_after, time) in [
            ("192.168.1.1", millis(1), millis(22)),
            ("fd00::53", millis(1), millis(22)),
            ("8.8.8.8", millis(1), millis(60)),
            ("2001:db8::53", millis(120), millis(260)),
            ("8.8.8.8", millis(900), millis(300)),
        ] {
            assert_eq!(listening_time(server.parse().unwrap(), first_after), time, "{server}");
        }
    }
}
