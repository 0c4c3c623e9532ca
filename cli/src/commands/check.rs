//! `parallax check`: what is watched, and how often.

use std::path::Path;

use parallax_model::{
    cadence::{AuditRounds, Cadence, CronExpression, Spread},
    check::Check,
    clock::Timestamp,
    profile::Definition,
    resolver::Resolver,
};
use parallax_proto::v1::{CheckEntry, DeleteCheckRequest, ListChecksRequest, PutCheckRequest, PutCheckResponse, run_round_request::What};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    args::{self, CheckApply, CheckCreate, Output},
    client::Client,
    exit::{DIFFERENCE, DONE, ERROR, Failure},
    render::{
        self,
        listing::{self, Listing},
        verdict,
    },
};

/// Runs the command.
pub(super) async fn run(client: &mut Client, words: args::Check, output: Output) -> Result<u8, Failure> {
    match words {
        args::Check::Create(words) => create(client, &words).await,
        args::Check::List => listing(client).await?.print(output).map(|()| DONE),
        args::Check::Show { name } => show(client, name.as_str(), output).await,
        args::Check::Pause { name } => pause(client, name.as_str(), true).await,
        args::Check::Resume { name } => pause(client, name.as_str(), false).await,
        args::Check::Delete { name } => {
            client.delete_check(DeleteCheckRequest { name: name.to_string() }).await?;
            render::remark(&format!("{name} is deleted; its history stays"));
            Ok(DONE)
        }
        args::Check::Run { name } => {
            let check = check_of(&entry(client, name.as_str()).await?)?;
            let limit = std::time::Duration::from_millis(check.limits.round_ms);
            let made = super::probe::round(client, What::Name(name.to_string()), limit).await?;
            verdict::print(&made, output)
        }
        args::Check::Apply(words) => apply(client, &words).await,
        args::Check::Export => {
            let checks = entries(client, "").await?.iter().map(|entry| check_of(entry).map(|check| Plan::of(&check))).collect::<Result<Vec<_>, _>>()?;
            let text = toml::to_string(&Plans { check: checks }).map_err(|error| Failure::new(ERROR, error.to_string()))?;
            render::answer(&text);
            Ok(DONE)
        }
    }
}

/// Refuses to plan audits of what does not speak TLS over TCP, before a coordinator is needed.
pub(super) fn refuse_what_cannot_be_audited(words: &args::Check) -> Result<(), Failure> {
    let args::Check::Create(words) = words else { return Ok(()) };
    let is_wanted = words.audit.is_some_and(|audit| audit != AuditRounds::Never);
    match super::probe::over_tcp(&words.target).filter(|_| is_wanted) {
        Some(over_tcp) => Err(Failure::usage(format!(
            "an audit needs TLS over TCP: leave --audit out to check {}, and audit that server by a check of {over_tcp}",
            words.target
        ))),
        None => Ok(()),
    }
}

async fn create(client: &mut Client, words: &CheckCreate) -> Result<u8, Failure> {
    let mut check = super::probe::apply(Check::once(words.target.clone(), super::now()), &words.what)?;
    check.name = Some(words.name.clone());
    check.cadence = cadence(words.cadence.every, words.cadence.cron.as_deref())?;
    check.spread = words.spread;
    check.audit = words.audit.unwrap_or_else(|| if check.target.scheme.speaks_tls_over_tcp() { daily() } else { AuditRounds::Never });
    if let Some(timeout) = words.timeout {
        check.limits.round_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    }
    let check = check.validated().map_err(|error| Failure::usage(error.to_string()))?;
    let put = put(client, &check, true, false).await?;
    render::remark(&format!("{} runs {} from {}; 'parallax history {0}' shows its rounds", words.name, check.cadence, named(&put.vantages)));
    Ok(DONE)
}

fn named(vantages: &[String]) -> String {
    if vantages.is_empty() { "no vantage yet".to_owned() } else { vantages.join(", ") }
}

fn cadence(every: Option<std::time::Duration>, cron: Option<&str>) -> Result<Cadence, Failure> {
    let usage = |error: parallax_model::cadence::CadenceError| Failure::usage(error.to_string());
    match (every, cron) {
        (Some(every), None) => Cadence::every(every).map_err(usage),
        (None, Some(cron)) => cron.parse::<CronExpression>().map(Cadence::Cron).map_err(usage),
        _ => Err(Failure::usage("give either an interval or a cron expression")),
    }
}

async fn put(client: &mut Client, check: &Check, create_only: bool, validate_only: bool) -> Result<PutCheckResponse, Failure> {
    let request = PutCheckRequest { check: Some(check.into()), create_only, validate_only, expected_revision: 0 };
    Ok(client.put_check(request).await?.into_inner())
}

async fn entries(client: &mut Client, name: &str) -> Result<Vec<CheckEntry>, Failure> {
    Ok(client.list_checks(ListChecksRequest { name: name.to_owned() }).await?.into_inner().checks)
}

async fn entry(client: &mut Client, name: &str) -> Result<CheckEntry, Failure> {
    entries(client, name).await?.into_iter().next().ok_or_else(|| Failure::new(ERROR, format!("no check is called {name:?}; 'parallax check list' shows all")))
}

fn check_of(entry: &CheckEntry) -> Result<Check, Failure> {
    let unreadable = |why: String| Failure::new(ERROR, format!("the coordinator sent a check that this version cannot read: {why}"));
    let wire = entry.check.clone().ok_or_else(|| unreadable("it is empty".to_owned()))?;
    Check::try_from(wire).map_err(|error| unreadable(error.to_string()))
}

/// Makes the list of all checks.
pub(super) async fn listing(client: &mut Client) -> Result<Listing, Failure> {
    let entries = entries(client, "").await?;
    let mut rows = Vec::new();
    let mut documents = Vec::new();
    for entry in &entries {
        let check = check_of(entry)?;
        let last = last_verdict(entry);
        let name = check.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let cadence = if check.paused { "paused".to_owned() } else { check.cadence.to_string() };
        rows.push(vec![
            name,
            check.target.to_string(),
            cadence,
            entry.vantages.len().to_string(),
            last.as_ref().map_or_else(|| "-".to_owned(), verdict::summary),
        ]);
        documents.push(document(&check, entry));
    }
    Ok(Listing {
        headings: &["CHECK", "TARGET", "CADENCE", "VANTAGES", "LAST VERDICT"],
        rows,
        documents,
        empty: "no checks yet: 'parallax check create NAME --target TARGET --every 60s'",
    })
}

fn last_verdict(entry: &CheckEntry) -> Option<parallax_model::verdict::Verdict> {
    super::read_verdict(&entry.last_verdict_json).ok()
}

fn document(check: &Check, entry: &CheckEntry) -> Value {
    let mut document = json!(Plan::of(check));
    document["vantages"] = json!(entry.vantages);
    document["revision"] = json!(check.revision);
    document["id"] = json!(check.id);
    document["next_round"] = json!((entry.next_round_us != 0).then(|| Timestamp::from_micros(entry.next_round_us)));
    document["last_verdict"] = json!(last_verdict(entry));
    document
}

async fn show(client: &mut Client, name: &str, output: Output) -> Result<u8, Failure> {
    let entry = entry(client, name).await?;
    let check = check_of(&entry)?;
    let mut shown = document(&check, &entry);
    let last = last_verdict(&entry);
    if matches!(output, Output::Table | Output::Wide) {
        shown["last_verdict"] = json!(last.as_ref().map_or_else(|| "none yet".to_owned(), verdict::summary));
    }
    if let Value::Object(document) = shown {
        listing::one(&document, output)?;
    }
    if let (Some(last), Output::Wide) = (&last, output) {
        render::answer(&format!("\n{}", verdict::text(last, false)));
    }
    Ok(DONE)
}

async fn pause(client: &mut Client, name: &str, paused: bool) -> Result<u8, Failure> {
    let mut check = check_of(&entry(client, name).await?)?;
    check.paused = paused;
    put(client, &check, false, false).await?;
    render::remark(&format!("{name} {}", if paused { "is paused" } else { "goes on" }));
    Ok(DONE)
}

/// The file of `check apply` and `check export`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plans {
    #[serde(default)]
    check: Vec<Plan>,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Plan {
    name: String,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(default = "all")]
    from: String,
    #[serde(default)]
    profiles: Vec<String>,
    /// Profiles of the operator's own, each as the text of its file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    profile_definitions: Vec<Definition>,
    #[serde(default)]
    spread: Spread,
    #[serde(default = "daily")]
    audit: AuditRounds,
    /// The resolvers that every vantage asks, empty for its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resolvers: Vec<Resolver>,
    /// Bytes of the path's body that are read at most; 0 asks for the head alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    body_bytes: u32,
    #[serde(default)]
    paused: bool,
    /// Trust anchors, DER in hexadecimal.
    #[serde(default)]
    trust: Vec<parallax_model::bytes::Bytes>,
    #[serde(default)]
    expected_keys: Vec<parallax_model::bytes::Bytes>,
}

fn all() -> String {
    "all".to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(bytes: &u32) -> bool {
    *bytes == 0
}

const fn daily() -> AuditRounds {
    AuditRounds::Daily
}

impl Plan {
    fn of(check: &Check) -> Self {
        let (every, cron) = match &check.cadence {
            Cadence::Once => (None, None),
            Cadence::Every { every_ms } => (Some(humantime::format_duration(std::time::Duration::from_millis(*every_ms)).to_string()), None),
            Cadence::Cron(expression) => (None, Some(expression.to_string())),
        };
        Self {
            name: check.name.as_ref().map(ToString::to_string).unwrap_or_default(),
            target: check.target.to_string(),
            every,
            cron,
            from: check.from.to_string(),
            profiles: if check.profiles_named { check.profiles.iter().map(ToString::to_string).collect() } else { Vec::new() },
            profile_definitions: check.definitions.clone(),
            spread: check.spread,
            audit: check.audit,
            resolvers: check.resolvers.clone(),
            body_bytes: check.limits.body_bytes,
            paused: check.paused,
            trust: check.trust.clone(),
            expected_keys: check.expected_keys.clone(),
        }
    }

    fn to_check(&self) -> Result<Check, Failure> {
        let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("check {:?}: {why}", self.name));
        let target = self.target.parse().map_err(|error| wrong(&error))?;
        let mut check = Check::once(target, super::now());
        check.name = Some(self.name.parse().map_err(|error| wrong(&error))?);
        let every = self.every.as_deref().map(humantime::parse_duration).transpose().map_err(|error| wrong(&error))?;
        check.cadence = cadence(every, self.cron.as_deref()).map_err(|error| wrong(&error))?;
        check.from = self.from.parse().map_err(|error| wrong(&error))?;
        check.spread = self.spread;
        check.audit = self.audit;
        check.resolvers.clone_from(&self.resolvers);
        check.limits.body_bytes = self.body_bytes;
        check.paused = self.paused;
        check.trust.clone_from(&self.trust);
        check.expected_keys.clone_from(&self.expected_keys);
        check = check.with_definitions(self.profile_definitions.clone()).map_err(|error| wrong(&error))?;
        if !self.profiles.is_empty() {
            check = check.with_profiles(&self.profiles).map_err(|error| wrong(&error))?;
        }
        check.validated().map_err(|error| wrong(&error))
    }
}

async fn apply(client: &mut Client, words: &CheckApply) -> Result<u8, Failure> {
    let plans = read_plans(&words.file)?;
    let wanted = plans.check.iter().map(Plan::to_check).collect::<Result<Vec<_>, _>>()?;
    let present = entries(client, "").await?.iter().map(check_of).collect::<Result<Vec<_>, _>>()?;
    let name = |check: &Check| check.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut differs = false;
    for mut check in wanted {
        let before = present.iter().find(|other| other.name == check.name);
        if let Some(before) = before {
            if Plan::of(before) == Plan::of(&check) {
                continue;
            }
            check.id = before.id;
            check.anchor = before.anchor;
        }
        differs = true;
        put(client, &check, false, words.dry_run).await?;
        render::answer(&format!("{} {}", if before.is_some() { "change" } else { "create" }, name(&check)));
    }
    for check in present.iter().filter(|check| words.prune && !plans.check.iter().any(|plan| plan.name == name(check))) {
        differs = true;
        if !words.dry_run {
            client.delete_check(DeleteCheckRequest { name: name(check) }).await?;
        }
        render::answer(&format!("delete {}", name(check)));
    }
    Ok(if words.dry_run && differs { DIFFERENCE } else { DONE })
}

fn read_plans(path: &Path) -> Result<Plans, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    toml::from_str(&text).map_err(|error| Failure::usage(format!("{} is not a file of checks: {error}", path.display())))
}
