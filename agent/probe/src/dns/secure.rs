//! Questions over TLS (RFC 7858) and HTTPS (RFC 8484), all over one connection.

use std::{net::SocketAddr, pin::pin};

use futures_util::future::{Either, join_all, select};
use h2::client::SendRequest;
use hickory_proto::op::Message;
use http::{Method, Request, StatusCode, header};
use parallax_model::{
    bytes::Bytes,
    facts::{DnsTransport, LookupEnd},
    profile::{HelloRecipe, Profile, REQUIRED_PROFILE},
    resolver::NamedResolver,
    target::Host,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::query::{Answered, Question, Received, failed};
use crate::tls::Parts;

/// What a resolver said under its key, whosever that is.
#[derive(Debug)]
pub(super) struct Secured {
    /// One answer a question, in their order.
    pub(super) answered: Vec<Answered>,
    /// The chain that it sent, leaf first; judging it is the coordinator's.
    pub(super) certificates: Vec<Bytes>,
}

type Responses = Vec<Result<Received, LookupEnd>>;

/// Asks all questions.
pub(super) async fn ask(questions: &[Question], resolver: &NamedResolver, server: SocketAddr, deadline: Instant) -> Secured {
    let started = Instant::now();
    let mut certificates = Vec::new();
    let all = |end: LookupEnd| questions.iter().map(|_| Err(end)).collect::<Responses>();
    let responses = match timeout_at(deadline, connect(resolver, server, &mut certificates)).await {
        Ok(Ok(stream)) if resolver.transport == DnsTransport::Https => match timeout_at(deadline, over_https(questions, resolver, stream)).await {
            Ok(Ok(responses)) => responses,
            Ok(Err(end)) => all(end),
            Err(_) => all(LookupEnd::TimedOut),
        },
        Ok(Ok(stream)) => over_tls(questions, stream, deadline).await,
        Ok(Err(end)) => all(end),
        Err(_) => all(LookupEnd::TimedOut),
    };
    let answer = |(question, response): (&Question, _)| Answered::of(question.record_type, server, resolver.transport, response, started.elapsed());
    Secured { answered: questions.iter().zip(responses).map(answer).collect(), certificates }
}

async fn connect(resolver: &NamedResolver, server: SocketAddr, certificates: &mut Vec<Bytes>) -> Result<TlsStream<TcpStream>, LookupEnd> {
    let protocol = if resolver.transport == DnsTransport::Https { HTTP2 } else { DNS_OVER_TLS };
    let modern = Profile::builtin(REQUIRED_PROFILE).ok_or(LookupEnd::NotSecured)?.hello;
    let recipe = HelloRecipe { alpn: vec![protocol.to_owned()], ..modern };
    let name = match &resolver.host {
        Host::Name(name) => Some(name.as_str()),
        Host::Address(_) => None,
    };
    let Parts { config, name, recorder } = Parts::of(&recipe, name, server.ip()).ok_or(LookupEnd::NotSecured)?;
    let stream = TcpStream::connect(server).await.map_err(failed)?;
    let _ = stream.set_nodelay(true);
    let secured = TlsConnector::from(config).connect(name, stream).await;
    let seen = recorder.take();
    *certificates = seen.chain;
    let stream = secured.map_err(|error| error.raw_os_error().map_or(LookupEnd::NotSecured, LookupEnd::Failed))?;
    let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2.as_bytes());
    // A signature that does not verify comes from somebody without the key.
    let is_forged = seen.signature == Some(false);
    if is_forged || (resolver.transport == DnsTransport::Https && !speaks_http2) { Err(LookupEnd::NotSecured) } else { Ok(stream) }
}

/// Sends all questions at once and takes the responses in the order in which they come (RFC 7858 section 3.3).
async fn over_tls(questions: &[Question], mut stream: TlsStream<TcpStream>, deadline: Instant) -> Responses {
    let mut responses: Vec<Option<Received>> = questions.iter().map(|_| None).collect();
    let sent = Instant::now();
    let exchange = async {
        for question in questions {
            stream.write_all(&question.framed()?).await.map_err(failed)?;
        }
        stream.flush().await.map_err(failed)?;
        while responses.iter().any(Option::is_none) {
            let mut buffer = vec![0; usize::from(stream.read_u16().await.map_err(failed)?)];
            stream.read_exact(&mut buffer).await.map_err(failed)?;
            let answered = questions.iter().position(|question| question.response(&buffer).is_ok()).ok_or(LookupEnd::Malformed)?;
            responses[answered] = Some(received(questions[answered].response(&buffer)?, sent));
        }
        let _ = stream.shutdown().await;
        Ok(())
    };
    let end = timeout_at(deadline, exchange).await.unwrap_or(Err(LookupEnd::TimedOut)).err().unwrap_or(LookupEnd::Malformed);
    responses.into_iter().map(|response| response.ok_or(end)).collect()
}

async fn over_https(questions: &[Question], resolver: &NamedResolver, stream: TlsStream<TcpStream>) -> Result<Responses, LookupEnd> {
    let (client, connection) = h2::client::handshake(stream).await.map_err(of_http2)?;
    let authority = if resolver.port == HTTPS_PORT { resolver.host.to_string() } else { format!("{}:{}", resolver.host, resolver.port) };
    let url = format!("https://{authority}{}", resolver.path);
    let posts = join_all(questions.iter().map(|question| post(question, &url, client.clone())));
    drop(client);
    match select(pin!(posts), pin!(connection)).await {
        Either::Left((responses, _)) => Ok(responses),
        // What the connection's end leaves open ends with an error.
        Either::Right((_, posts)) => Ok(posts.await),
    }
}

async fn post(question: &Question, url: &str, client: SendRequest<bytes::Bytes>) -> Result<Received, LookupEnd> {
    let sent = Instant::now();
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(header::CONTENT_TYPE, DNS_MESSAGE)
        .header(header::ACCEPT, DNS_MESSAGE)
        .header(header::CONTENT_LENGTH, question.bytes.len())
        .body(())
        .map_err(|_| LookupEnd::Malformed)?;
    let mut client = client.ready().await.map_err(of_http2)?;
    let (response, mut body) = client.send_request(request, false).map_err(of_http2)?;
    body.send_data(question.bytes.clone().into(), true).map_err(of_http2)?;
    let response = response.await.map_err(of_http2)?;
    if response.status() != StatusCode::OK {
        return Err(LookupEnd::HttpStatus(response.status().as_u16()));
    }
    let mut body = response.into_body();
    let mut message = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(of_http2)?;
        if message.len() + chunk.len() > usize::from(u16::MAX) {
            return Err(LookupEnd::Malformed);
        }
        let _ = body.flow_control().release_capacity(chunk.len());
        message.extend_from_slice(&chunk);
    }
    Ok(received(question.response(&message)?, sent))
}

fn received(message: Message, sent: Instant) -> Received {
    Received { message, after: sent.elapsed(), second: None }
}

fn of_http2(error: h2::Error) -> LookupEnd {
    error.get_io().and_then(std::io::Error::raw_os_error).map_or(LookupEnd::Malformed, LookupEnd::Failed)
}

/// The protocol of RFC 7858 (ALPN).
const DNS_OVER_TLS: &str = "dot";
const HTTP2: &str = "h2";
const HTTPS_PORT: u16 = 443;
const DNS_MESSAGE: &str = "application/dns-message";
