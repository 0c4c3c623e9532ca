use std::{collections::BTreeMap, fmt::Write as _, time::Instant};

use serde::Serialize;

use super::{
    Row, Server, certificates,
    servers::{self, Place, SERVER_NODE},
};
use crate::lab::{
    Lab, LabError, Programs, Scenario,
    judge::{Grade, Judgement},
    run::{self, ProbeReport},
    sandbox::{Daemon, HOME},
    scenario::{Expected, Probe, Resolver, Tier},
    topology,
};

/// What became of one row.
#[derive(Debug, Clone, Serialize)]
pub struct RowReport {
    /// The row.
    pub id: String,
    /// What is wrong there.
    pub title: String,
    /// The verdict while it was broken; none when its servers did not start.
    pub broken: Option<ProbeReport>,
    /// The verdict once it was cured.
    pub cured: Option<ProbeReport>,
    /// Why the lab itself failed, if it did.
    pub failure: Option<String>,
    /// Seconds for all of it.
    pub seconds: f64,
}

impl RowReport {
    /// Tells whether the right cause was found, and no other.
    pub fn is_right(&self) -> bool {
        self.broken.as_ref().is_some_and(|report| report.judgement.grade == Grade::Right)
    }

    /// Tells whether the remedy healed it.
    pub fn is_cured(&self) -> bool {
        self.cured.as_ref().is_some_and(|report| report.judgement.grade == Grade::Right)
    }
}

/// Tells whether a row was not found or not cured.
pub fn has_failed(reports: &[RowReport]) -> bool {
    reports.iter().any(|report| !report.is_right() || !report.is_cured())
}

/// Runs rows against one fleet, so many at a time; `done` hears of each as it ends.
pub fn run_all(rows: &[Row], programs: &Programs, jobs: usize, mut done: impl FnMut(&RowReport)) -> Result<Vec<RowReport>, LabError> {
    servers::check(rows)?;
    let places = places(rows);
    let mut lab = Lab::start(&scenario(rows, &places)?, programs)?;
    lab.sandbox.script(Some(SERVER_NODE), &addresses(&places))?;
    lab.sandbox.script(None, &format!("mkdir -p {HOME}/pki\ncd {HOME}/pki\n{}cp root.crt root.pem\n", certificates::authorities()))?;
    lab.start_fleet()?;
    let pairs: Vec<(&Row, &Place)> = rows.iter().zip(&places).collect();
    let mut reports = Vec::new();
    run::side_by_side(
        &pairs,
        jobs,
        |(row, place)| run_row(&lab, row, place),
        |report| {
            done(&report);
            reports.push(report);
        },
    );
    reports.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(reports)
}

fn run_row(lab: &Lab, row: &Row, place: &Place) -> RowReport {
    let started = Instant::now();
    let mut report = RowReport { id: row.id.clone(), title: row.title.clone(), broken: None, cured: None, failure: None, seconds: 0.0 };
    if let Err(error) = both(lab, row, place, &mut report) {
        report.failure = Some(run::whole(&error));
    }
    report.seconds = started.elapsed().as_secs_f64();
    report
}

fn both(lab: &Lab, row: &Row, place: &Place, report: &mut RowReport) -> Result<(), LabError> {
    let folder = &place.folder;
    let make = place.fill(&certificates::script(&row.certificates)) + &place.fill(&row.prepare);
    lab.sandbox.script(
        None,
        &format!("mkdir -p {folder}\nchmod 755 {folder}\ncd {folder}\ncp {HOME}/pki/root.* {HOME}/pki/intermediate.* .\n{make}\nchmod a+r *\n"),
    )?;
    report.broken = Some(probe(lab, row, place, &row.servers, &broken(row))?);
    report.cured = Some(probe(lab, row, place, &row.cured(), &[])?);
    Ok(())
}

fn probe(lab: &Lab, row: &Row, place: &Place, servers: &[Server], findings: &[Expected]) -> Result<ProbeReport, LabError> {
    let mut daemons = servers::start(lab, place, servers)?;
    let probe = Probe {
        target: place.fill(&row.target),
        args: row.args.clone(),
        meanwhile: Vec::new(),
        healthy: Some(row.causes.iter().all(|cause| cause.is_informational()) || findings.is_empty()),
        findings: findings.to_vec(),
        allowed: row.allowed.iter().filter(|_| !findings.is_empty()).chain(&row.always).map(ToString::to_string).collect(),
        forbidden: Vec::new(),
    };
    let mut report = run::ask(lab, &probe);
    if findings.is_empty() {
        still_there(row, &mut report);
    }
    daemons.iter_mut().for_each(Daemon::stop);
    Ok(report)
}

fn broken(row: &Row) -> Vec<Expected> {
    row.causes.iter().map(|cause| Expected { causes: vec![cause.to_string()], tier: Tier::Likely, ..Expected::default() }).collect()
}

/// A cure takes the finding away, also one that left the round healthy.
fn still_there(row: &Row, report: &mut ProbeReport) {
    let found = report.found.iter().filter_map(|line| line.split(' ').next());
    if let Some(cause) = found.into_iter().find(|found| row.causes.iter().any(|cause| cause.as_str() == *found)) {
        report.judgement = Judgement::none(format!("{cause} is still found"));
    }
}

/// Gives each row its addresses on the servers' segment.
fn places(rows: &[Row]) -> Vec<Place> {
    let mut next = FIRST_HOST;
    let mut take = |count: usize| {
        let hosts: Vec<usize> = (next..next + count).collect();
        next += count;
        hosts
    };
    let place = |row: &Row| {
        let hosts = take(row.addresses.max(1));
        Place {
            name: row.name(),
            ipv6: row.ipv6.then(|| format!("2001:db8:5::{}", hosts[0])),
            ipv4: hosts.iter().map(|host| format!("192.0.2.{host}")).collect(),
            folder: format!("{HOME}/catalogue/{}", row.id),
        }
    };
    rows.iter().map(place).collect()
}

fn addresses(places: &[Place]) -> String {
    let mut text = String::new();
    for place in places {
        for address in &place.ipv4 {
            let _ = writeln!(text, "ip addr add {address}/24 dev lan");
        }
        if let Some(address) = &place.ipv6 {
            let _ = writeln!(text, "ip addr add {address}/64 dev lan nodad");
        }
    }
    text
}

/// Two groups outside and a vantage beside the servers, and the names of all rows.
fn scenario(rows: &[Row], places: &[Place]) -> Result<Scenario, LabError> {
    let mut scenario = Scenario::parse("catalogue", "title = 'the catalogue'\nvantages = ['a', 'b', 'i']\n[[probe]]\n")?;
    if places.last().is_some_and(|place| place.ipv4.last().is_some_and(|last| last.ends_with(".255"))) || rows.len() > LAST_HOST - FIRST_HOST {
        return Err(LabError::Scenario { id: "catalogue".to_owned(), reason: "more rows than addresses".to_owned() });
    }
    let all = |place: &Place| place.ipv4.iter().chain(&place.ipv6).cloned().collect::<Vec<_>>();
    let records: BTreeMap<String, Vec<String>> = places.iter().map(|place| (place.name.clone(), all(place))).collect();
    scenario.resolvers = vec![Resolver { at: topology::RESOLVER.0.to_owned(), port: 53, records }];
    Ok(scenario)
}

/// The hosts of the servers' segment that are free.
const FIRST_HOST: usize = 101;
const LAST_HOST: usize = 254;
