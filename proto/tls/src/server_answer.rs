//! Everything that a server said in clear, from its bytes alone.

use crate::alert::Alert;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::reader::Reader;
use crate::record::{DeframeError, Deframer, HandshakeJoiner, HandshakeMessage, Record};
use crate::registry::{ContentType, HandshakeType, ProtocolVersion};
use crate::server_flight::{CertificateMessage, CertificateRequest, NewSessionTicket, ServerHello, ServerKeyExchange};

/// How many records of each kind came, and how many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordSummary {
    /// Handshake records, encrypted ones of TLS 1.2 included.
    pub handshake: u32,
    /// Alert records, encrypted ones of TLS 1.2 included.
    pub alert: u32,
    /// ChangeCipherSpec records.
    pub change_cipher_spec: u32,
    /// Application data records, which in TLS 1.3 hide the rest of the handshake.
    pub application_data: u32,
    /// Records of other types.
    pub other: u32,
    /// The version in the header of the first record.
    pub first_version: Option<ProtocolVersion>,
    /// Bytes that were fed, whether they became records or not.
    pub bytes: u64,
}

impl RecordSummary {
    /// Returns the number of all records.
    #[must_use]
    pub fn total(&self) -> u32 {
        [self.handshake, self.alert, self.change_cipher_spec, self.application_data, self.other].into_iter().fold(0, u32::saturating_add)
    }
}

/// What a server sent in clear, until its records became encrypted or unreadable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerAnswer {
    /// Which records came.
    pub records: RecordSummary,
    /// The ServerHello that is not a HelloRetryRequest.
    pub server_hello: Option<ServerHello>,
    /// HelloRetryRequests in order; a second one is a protocol error, and at most four are kept.
    pub hello_retry_requests: Vec<ServerHello>,
    /// The certificates of TLS 1.2 and before in DER, the server's own first.
    pub certificates: Vec<Vec<u8>>,
    /// The stapled status of TLS 1.2 (CertificateStatus, RFC 6066 section 8): an OCSP response in DER.
    pub ocsp_response: Option<Vec<u8>>,
    /// The request for a client certificate of TLS 1.2 and before.
    pub certificate_request: Option<CertificateRequest>,
    /// The parameters of ServerKeyExchange, TLS 1.2 and before.
    pub server_key_exchange: Option<ServerKeyExchange>,
    /// The ticket of TLS 1.2, which comes in clear before the server's Finished.
    pub session_ticket: Option<NewSessionTicket>,
    /// Whether ServerHelloDone came, which ends the server's first flight in TLS 1.2 and before.
    pub server_hello_done: bool,
    /// Alerts that were not encrypted, in order; at most sixteen are kept.
    pub plaintext_alerts: Vec<Alert>,
    /// Whether records came that only the keys of this connection can open.
    pub saw_encrypted_records: bool,
    /// The first bytes, at most 64, of an answer that is not TLS from its first byte on.
    pub not_tls: Option<Vec<u8>>,
    /// Where reading ended when the answer started as TLS and then broke the protocol or a cap.
    pub error: Option<DecodeError>,
}

impl ServerAnswer {
    /// Returns the version that the server chose, in ServerHello or, before it, in HelloRetryRequest.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.server_hello.as_ref().or_else(|| self.hello_retry_requests.first()).map(ServerHello::selected_version)
    }

    /// Says whether nothing further can come in clear, so that a client without keys may stop reading.
    ///
    /// After a HelloRetryRequest it stays false: the server waits for the second ClientHello.
    #[must_use]
    pub fn clear_part_ended(&self) -> bool {
        let tls13 = |hello: &ServerHello| hello.selected_version() >= ProtocolVersion::TLS13;
        self.saw_encrypted_records
            || self.server_hello_done
            || self.not_tls.is_some()
            || self.error.is_some()
            || self.server_hello.as_ref().is_some_and(tls13)
            || self.plaintext_alerts.iter().any(Alert::is_fatal)
    }
}

/// Reads everything that a server sent, from the first byte of the connection on.
#[must_use]
pub fn read_server_answer(bytes: &[u8]) -> ServerAnswer {
    let mut reader = ServerAnswerReader::new();
    reader.feed(bytes);
    reader.into_answer()
}

/// The incremental form of [`read_server_answer`]: each byte is looked at once, however the bytes arrive.
///
/// Holds at most a handshake message of 256 KiB and one record besides the answer itself; a larger message ends the reading with an error.
#[derive(Debug, Clone, Default)]
pub struct ServerAnswerReader {
    deframer: Deframer,
    interpreter: Interpreter,
}

impl ServerAnswerReader {
    /// Starts at the first byte of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes that the server sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        let answer = &mut self.interpreter.answer;
        answer.records.bytes = answer.records.bytes.saturating_add(bytes.len() as u64);
        for piece in bytes.chunks(PIECE_LEN) {
            if answer_is_final(&self.interpreter.answer) {
                return;
            }
            self.feed_piece(piece);
        }
    }

    /// Returns what the bytes so far say.
    #[must_use]
    pub fn answer(&self) -> &ServerAnswer {
        &self.interpreter.answer
    }

    /// Ends the reading.
    #[must_use]
    pub fn into_answer(self) -> ServerAnswer {
        self.interpreter.answer
    }

    fn feed_piece(&mut self, piece: &[u8]) {
        let mut fed = self.deframer.feed(piece);
        while let Ok(()) = fed {
            match self.deframer.next_record() {
                Ok(Some(record)) => {
                    if let Err(error) = self.interpreter.record(record) {
                        self.interpreter.answer.error = Some(error);
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => fed = Err(error),
            }
        }
        if let Err(error) = fed {
            self.interpreter.broken(error);
        }
    }
}

/// Says whether further bytes cannot change the answer, except for the count of bytes.
fn answer_is_final(answer: &ServerAnswer) -> bool {
    answer.error.is_some() || answer.not_tls.as_ref().is_some_and(|sample| sample.len() >= SAMPLE_LEN)
}

/// Turns records into the answer.
#[derive(Debug, Clone, Default)]
struct Interpreter {
    joiner: HandshakeJoiner,
    answer: ServerAnswer,
    /// Whether the server's handshake records are encrypted from here on, as after ChangeCipherSpec in TLS 1.2.
    keys_in_use: bool,
}

impl Interpreter {
    fn record(&mut self, record: Record<'_>) -> Result<(), DecodeError> {
        let records = &mut self.answer.records;
        records.first_version.get_or_insert(record.version);
        let count = match record.content_type {
            ContentType::HANDSHAKE => &mut records.handshake,
            ContentType::ALERT => &mut records.alert,
            ContentType::CHANGE_CIPHER_SPEC => &mut records.change_cipher_spec,
            ContentType::APPLICATION_DATA => &mut records.application_data,
            _ => &mut records.other,
        };
        *count = count.saturating_add(1);
        match record.content_type {
            ContentType::APPLICATION_DATA => self.answer.saw_encrypted_records = true,
            ContentType::ALERT => self.alert(record.payload)?,
            ContentType::HANDSHAKE if self.keys_in_use => self.answer.saw_encrypted_records = true,
            ContentType::HANDSHAKE => self.handshake(record.payload)?,
            ContentType::CHANGE_CIPHER_SPEC => self.change_cipher_spec(),
            _ => {}
        }
        Ok(())
    }

    /// In TLS 1.3 the record means nothing (RFC 8446 appendix D.4), and before a ServerHello it cannot mean keys.
    fn change_cipher_spec(&mut self) {
        let keys = |hello: &ServerHello| hello.selected_version() < ProtocolVersion::TLS13;
        self.keys_in_use |= self.answer.server_hello.as_ref().is_some_and(keys);
    }

    /// No cipher makes an alert of two bytes, so that a payload of two bytes is plaintext even behind ChangeCipherSpec.
    fn alert(&mut self, payload: &[u8]) -> Result<(), DecodeError> {
        if self.keys_in_use && payload.len() != 2 {
            self.answer.saw_encrypted_records = true;
            return Ok(());
        }
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            let alert = Alert::read(&mut reader)?;
            if self.answer.plaintext_alerts.len() < MAX_ALERTS {
                self.answer.plaintext_alerts.push(alert);
            }
        }
        Ok(())
    }

    fn handshake(&mut self, payload: &[u8]) -> Result<(), DecodeError> {
        self.joiner.feed(payload)?;
        while let Some(message) = self.joiner.next_message()? {
            self.answer.message(message)?;
        }
        Ok(())
    }

    fn broken(&mut self, error: DeframeError) {
        match error {
            DeframeError::NotTls { offset: 0, first } => self.answer.not_tls = Some(first),
            DeframeError::NotTls { .. } => {
                self.answer.error = Some(DecodeError::new("record header", DecodeErrorKind::NotTls));
            }
            DeframeError::Record(error) => self.answer.error = Some(error),
            DeframeError::Overfull { limit } => {
                self.answer.error = Some(DecodeError::new("records", DecodeErrorKind::TooLarge { limit }));
            }
        }
    }
}

impl ServerAnswer {
    fn message(&mut self, message: HandshakeMessage<'_>) -> Result<(), DecodeError> {
        let clear = self.server_hello.as_ref().map(|hello| (hello.selected_version(), hello.cipher_suite));
        if clear.is_some_and(|(version, _)| version >= ProtocolVersion::TLS13) {
            return Err(unexpected("handshake message in clear after the server hello of TLS 1.3"));
        }
        match (message.message_type, clear) {
            (HandshakeType::SERVER_HELLO, _) => self.hello(ServerHello::decode(message.bytes)?),
            (HandshakeType::CERTIFICATE, Some(_)) if self.certificates.is_empty() => {
                self.certificates = CertificateMessage::decode(message.bytes)?.certificates;
                Ok(())
            }
            (HandshakeType::CERTIFICATE_STATUS, Some(_)) if self.ocsp_response.is_none() => {
                self.ocsp_response = ocsp_response(message.body)?;
                Ok(())
            }
            (HandshakeType::SERVER_KEY_EXCHANGE, Some((version, suite))) => {
                self.server_key_exchange = ServerKeyExchange::decode(message.bytes, version, suite)?;
                Ok(())
            }
            (HandshakeType::CERTIFICATE_REQUEST, Some((version, _))) if self.certificate_request.is_none() => {
                self.certificate_request = Some(CertificateRequest::decode(message.bytes, version)?);
                Ok(())
            }
            (HandshakeType::SERVER_HELLO_DONE, Some(_)) => {
                self.server_hello_done = true;
                Ok(())
            }
            (HandshakeType::NEW_SESSION_TICKET, Some(_)) => {
                self.session_ticket = Some(NewSessionTicket::decode(message.bytes)?);
                Ok(())
            }
            (HandshakeType::HELLO_REQUEST, _) => Ok(()),
            _ => Err(unexpected("handshake message")),
        }
    }

    fn hello(&mut self, hello: ServerHello) -> Result<(), DecodeError> {
        if self.server_hello.is_some() {
            return Err(unexpected("second server hello"));
        }
        if !hello.is_hello_retry_request() {
            self.server_hello = Some(hello);
        } else if self.hello_retry_requests.len() < MAX_HELLO_RETRY_REQUESTS {
            self.hello_retry_requests.push(hello);
        } else {
            let kind = DecodeErrorKind::TooLarge { limit: MAX_HELLO_RETRY_REQUESTS };
            return Err(DecodeError::new("hello retry requests", kind));
        }
        Ok(())
    }
}

/// Reads the OCSP response of a CertificateStatus; other kinds of status give nothing.
fn ocsp_response(body: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
    const OCSP: u8 = 1;
    let mut reader = Reader::new(body);
    if reader.u8("status type")? != OCSP {
        return Ok(None);
    }
    let response = reader.vec_u24("OCSP response")?.to_vec();
    reader.expect_end("certificate status")?;
    Ok(Some(response))
}

fn unexpected(what: &'static str) -> DecodeError {
    DecodeError::new(what, DecodeErrorKind::Unexpected)
}

/// Bytes go to the deframer in pieces well below its cap, so that it never refuses one.
const PIECE_LEN: usize = 16 * 1024;
const SAMPLE_LEN: usize = 64;
const MAX_ALERTS: usize = 16;
const MAX_HELLO_RETRY_REQUESTS: usize = 4;
