//! `parallax probe`: one round now, streamed live, ending in the verdict.

use std::{path::PathBuf, time::Duration};

use parallax_model::{
    attempt::Attempt,
    bytes::Bytes,
    cadence::AuditRounds,
    check::{Check, USUAL_BODY_BYTES},
    profile::Definition,
    target::{Scheme, Target},
    verdict::Verdict,
};
use parallax_proto::v1::{RunRoundRequest, run_round_request::What as Wanted, run_round_response::Event};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::{
    args::{Output, Probe, What},
    client::Client,
    exit::{ERROR, Failure, TIMED_OUT},
    render::{self, progress::Progress},
};

/// Runs the command.
pub(super) async fn run(client: &mut Client, words: &Probe, output: Output) -> Result<u8, Failure> {
    let mut check = apply(Check::once(words.target.clone(), super::now()), &words.what)?;
    check.limits.round_ms = u64::try_from(words.timeout.as_millis()).unwrap_or(u64::MAX);
    if words.deep {
        check.audit = AuditRounds::EveryRound;
    }
    let check = check.validated().map_err(|error| Failure::usage(error.to_string()))?;
    let verdict = round(client, Wanted::Check((&check).into()), words.timeout).await?;
    render::verdict::print(&verdict, output)
}

/// Refuses an audit of what does not speak TLS over TCP, before a coordinator is needed.
pub(super) fn refuse_what_cannot_be_audited(words: &Probe) -> Result<(), Failure> {
    let target = &words.target;
    match over_tcp(target).filter(|_| words.deep) {
        Some(over_tcp) => Err(Failure::usage(format!(
            "an audit needs TLS over TCP: 'parallax probe {over_tcp} --deep' audits that server, 'parallax probe {target}' probes this one"
        ))),
        None => Ok(()),
    }
}

/// Returns the target that can be audited in the place of one that cannot; none when this one can.
pub(super) fn over_tcp(target: &Target) -> Option<Target> {
    let scheme = if target.port == Scheme::Https.default_port() { Scheme::Https } else { Scheme::Tls };
    (!target.scheme.speaks_tls_over_tcp()).then(|| Target { scheme, ..target.clone() })
}

/// Puts what the operator named into a check.
pub(super) fn apply(mut check: Check, what: &What) -> Result<Check, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::usage(error.to_string());
    let (names, own) = profiles(what)?;
    if !names.is_empty() {
        check = check.with_definitions(own).and_then(|check| check.with_profiles(&names)).map_err(|error| usage(&error))?;
    }
    if let Some(from) = &what.from {
        check.from = from.clone();
    }
    check.limit = what.limit;
    check.diverse.clone_from(&what.diverse);
    check.resolvers.clone_from(&what.resolver);
    if what.read_body {
        check.limits.body_bytes = USUAL_BODY_BYTES;
    }
    for path in &what.trust {
        check.trust.extend(anchors(path)?);
    }
    for key in &what.expect_key {
        let digest: Bytes = key.parse().map_err(|error| Failure::usage(format!("--expect-key {key}: {error}")))?;
        check.expected_keys.push(digest);
    }
    check.validated().map_err(|error| usage(&error))
}

/// Returns the names of the profiles that the operator wants, and those that are files of the operator's own.
fn profiles(what: &What) -> Result<(Vec<String>, Vec<Definition>), Failure> {
    let (mut names, mut own) = (Vec::new(), Vec::new());
    let is_file = |name: &&String| name.ends_with(".toml");
    let files = what.profile.iter().filter(is_file).map(PathBuf::from).chain(what.profile_file.iter().cloned());
    names.extend(what.profile.iter().filter(|name| !is_file(name)).cloned());
    for path in files {
        let definition = super::profile::read(&path)?;
        names.push(definition.profile().name.to_string());
        own.push(definition);
    }
    Ok((names, own))
}

fn anchors(path: &PathBuf) -> Result<Vec<Bytes>, Failure> {
    let unreadable = |why: String| Failure::usage(format!("cannot read trust anchors from {}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let found = CertificateDer::pem_slice_iter(&text).map(|der| der.map(|der| Bytes(der.to_vec()))).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| unreadable(error.to_string()))?;
    if found.is_empty() { Err(unreadable("it holds no PEM certificate".to_owned())) } else { Ok(found) }
}

/// How much longer than its limit a round is waited for: the coordinator ends it by itself.
const GRACE: Duration = Duration::from_secs(3);

/// Runs one round and waits for its verdict.
pub(super) async fn round(client: &mut Client, what: Wanted, limit: Duration) -> Result<Verdict, Failure> {
    let waited = tokio::time::timeout(limit + GRACE, follow(client, what)).await;
    waited.unwrap_or_else(|_| Err(Failure::new(TIMED_OUT, format!("no verdict within {}", humantime::format_duration(limit)))))
}

async fn follow(client: &mut Client, what: Wanted) -> Result<Verdict, Failure> {
    let mut events = client.run_round(RunRoundRequest { what: Some(what) }).await?.into_inner();
    let mut progress = Progress::begin(&[]);
    let mut verdict = None;
    while let Some(event) = events.message().await.inspect_err(|_| progress.end())? {
        match event.event {
            Some(Event::Opened(opened)) => {
                progress.end();
                progress = Progress::begin(&opened.vantages);
                if !opened.silent.is_empty() {
                    render::remark(&format!("no session with {}: they are counted as missing", opened.silent.join(", ")));
                }
            }
            Some(Event::Attempt(attempt)) => {
                if let Ok(attempt) = Attempt::try_from(attempt) {
                    progress.attempt(&attempt);
                }
            }
            Some(Event::Done(done)) => progress.done(&done.vantage),
            Some(Event::Note(note)) => progress.note(note),
            Some(Event::VerdictJson(json)) => verdict = Some(super::read_verdict(&json)?),
            None => {}
        }
    }
    progress.end();
    verdict.ok_or_else(|| Failure::new(ERROR, "the coordinator ended the round without a verdict; look at its log"))
}
