//! A fleet and a target with known faults: what each vantage would see, attempt by attempt, until nothing more is wanted.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use parallax_diagnosis::{History, RoundView, Trust, VantageView, wanted};
use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    check::Check,
    clock::Timestamp,
    facts::{Facts, Reply, StepEnd, TlsEnd, WalkPayload},
    id::AttemptId,
    vantage::{Group, Labels, Responder},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::facts::{self, Sent};

/// The name that is probed.
pub(crate) const NAME: &str = "www.example.test";
const CONTROL: &str = "qxvjzkwq.invalid";
const RESPONDER: &str = "203.0.113.1:443";
/// Routers between a vantage and the server.
const ROUTERS: u8 = 6;
/// The router at which a site's fault sits.
const FAULTY: u8 = 3;

/// What is wrong, by the numbers of sites and addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// A site's router resets whatever carries the name, in its sender's TTL.
    Name(usize),
    /// A site's router drops what goes to an address.
    Address(usize, usize),
    /// A site's router drops packets over 1,300 bytes.
    Size(usize),
    /// An address sends its leaf alone.
    Chain(usize),
    /// An address accepts and never answers.
    Mute(usize),
}

/// Certificates, and the anchor that makes them good.
pub(crate) struct Pki {
    chain: Vec<Bytes>,
    responder: Bytes,
    responder_key: Bytes,
    root: Bytes,
}

impl Pki {
    /// Makes a root, an intermediate and a leaf, and the responder's certificate.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let authority = |name: &str| -> anyhow::Result<CertificateParams> {
            let mut params = CertificateParams::new(Vec::<String>::new())?;
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Ok(params)
        };
        let (root, intermediate, keys) = (authority("Bench Root")?, authority("Bench Intermediate")?, [KeyPair::generate()?, KeyPair::generate()?]);
        let leaf_key = KeyPair::generate()?;
        let by_root = Issuer::from_params(&root, &keys[0]);
        let by_intermediate = Issuer::from_params(&intermediate, &keys[1]);
        let leaf = CertificateParams::new(vec![NAME.to_owned()])?.signed_by(&leaf_key, &by_intermediate)?;
        let chain = vec![Bytes(leaf.der().to_vec()), Bytes(intermediate.signed_by(&keys[1], &by_root)?.der().to_vec())];
        let responder = authority("Responder")?.self_signed(&leaf_key)?.der().to_vec();
        let (_, parsed) = x509_parser::parse_x509_certificate(&responder)?;
        let responder_key = Bytes(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, parsed.public_key().raw).as_ref().to_vec());
        Ok(Self { chain, responder_key, responder: Bytes(responder), root: Bytes(root.self_signed(&keys[0])?.der().to_vec()) })
    }

    /// Returns the root certificate.
    pub(crate) fn root(&self) -> &Bytes {
        &self.root
    }
}

/// A fleet before a target.
pub(crate) struct World<'p> {
    pki: &'p Pki,
    places: Vec<SocketAddr>,
    fleet: Vec<VantageView>,
    faults: Vec<Fault>,
    has_responder: bool,
}

impl<'p> World<'p> {
    /// Makes so many sites of so many vantages each, before so many addresses.
    pub(crate) fn new(pki: &'p Pki, sites: usize, members: usize, addresses: u8, faults: Vec<Fault>) -> anyhow::Result<Self> {
        let places = (1..=addresses).map(|at| SocketAddr::from(([192, 0, 2, at], 443))).collect();
        let names = (0..sites).flat_map(|site| (0..members).map(move |member| (site, format!("v{}", site * members + member))));
        let view = |(site, name): (usize, String)| -> anyhow::Result<VantageView> {
            let labels = Labels::from([("site".to_owned(), format!("site-{site}"))]);
            Ok(VantageView {
                name: name.parse()?,
                group: Group::of(&labels, None),
                labels,
                build: env!("CARGO_PKG_VERSION").to_owned(),
                clock_offset_ms: Some(3),
                egress: None,
                reported: true,
                witness: false,
            })
        };
        Ok(Self { pki, places, fleet: names.map(view).collect::<anyhow::Result<_>>()?, faults, has_responder: true })
    }

    /// Takes the fleet's responder away.
    pub(crate) fn without_responder(mut self) -> Self {
        self.has_responder = false;
        self
    }

    /// Returns a round of the check with everything that is seen, follow-ups as the diagnosis wants them included.
    pub(crate) fn round(&self, check: &Check, start: Timestamp) -> anyhow::Result<RoundView> {
        let mut responders = Vec::new();
        if self.has_responder {
            responders.push(Responder { addresses: vec![RESPONDER.parse()?], key_sha256: self.pki.responder_key.clone(), vantage: None });
        }
        let vantages = self.fleet.clone();
        let mut round = RoundView { round: check.round_at(start), check: check.clone(), started_at: start, vantages, attempts: Vec::new(), responders };
        let first = check.profiles.first().context("a check without profile")?.clone();
        for seat in 0..self.fleet.len() {
            self.see(&mut round, seat, first.as_str(), Experiment::Resolve, None)?;
            if self.has_responder {
                self.see(&mut round, seat, first.as_str(), Experiment::Responder, Some(RESPONDER.parse()?))?;
            }
            for place in &self.places {
                for profile in &check.profiles {
                    for _ in 0..check.limits.attempts {
                        self.see(&mut round, seat, profile.as_str(), Experiment::Baseline, Some(*place))?;
                    }
                }
            }
        }
        let trust = Trust::default().with(&check.trust);
        for _ in 0..WAVES {
            let asked = wanted(&round, &History::default(), &trust, start);
            for one in &asked {
                let seat = self.fleet.iter().position(|view| view.name == one.vantage).context("a vantage that is not there")?;
                for task in &one.tasks {
                    for _ in 0..task.repeat {
                        self.see(&mut round, seat, task.profile.as_str(), task.experiment, task.address)?;
                    }
                }
            }
            if asked.is_empty() {
                break;
            }
        }
        Ok(round)
    }

    fn see(&self, round: &mut RoundView, seat: usize, profile: &str, experiment: Experiment, address: Option<SocketAddr>) -> anyhow::Result<()> {
        let facts = match address {
            None => facts::resolved(NAME, &self.places.iter().map(SocketAddr::ip).collect::<Vec<_>>()),
            Some(address) => self.facts(seat, profile, experiment, address),
        };
        let sequence = u32::try_from(round.attempts.len())?;
        round.attempts.push(Attempt {
            id: AttemptId::new(),
            round: round.round,
            check: round.check.id,
            vantage: self.fleet[seat].name.clone(),
            profile: profile.parse()?,
            experiment,
            address,
            sequence,
            started_at: round.started_at + Duration::from_millis(u64::from(sequence % 1_000)),
            elapsed_us: 81_000,
            clock_offset_us: Some(120),
            facts,
        });
        Ok(())
    }

    fn facts(&self, seat: usize, profile: &str, experiment: Experiment, address: SocketAddr) -> Facts {
        let name = match experiment {
            Experiment::ControlName | Experiment::ControlAfter | Experiment::ControlWalk => Some(CONTROL),
            Experiment::NoName | Experiment::NonTls | Experiment::LargeNonTls => None,
            _ => Some(NAME),
        };
        let bytes = match experiment {
            Experiment::SmallHello => 200,
            Experiment::LargeHello | Experiment::LargeNonTls => 1_752,
            Experiment::NonTls => 2,
            _ if profile == "modern-pq" => 1_752,
            _ => 517,
        };
        let hello = Sent { name, bytes };
        let whole = profile != "split" && !matches!(experiment, Experiment::SplitName | Experiment::SmallMss);
        let Some(place) = self.places.iter().position(|place| *place == address) else {
            return facts::established(address, &hello, std::slice::from_ref(&self.pki.responder));
        };
        let site = self.site(seat);
        let has = |wanted: &dyn Fn(&Fault) -> bool| self.faults.iter().any(wanted);
        let is_cut = has(&|fault| matches!(fault, Fault::Address(by, at) if (*by, *at) == (site, place)));
        let is_reset = name == Some(NAME) && whole && has(&|fault| matches!(fault, Fault::Name(by) if *by == site));
        let is_lost = bytes > 1_300 && experiment != Experiment::SmallMss && has(&|fault| matches!(fault, Fault::Size(by) if *by == site));
        let is_mute = has(&|fault| matches!(fault, Fault::Mute(at) if *at == place));
        if let Experiment::SynWalk | Experiment::HelloWalk | Experiment::ControlWalk = experiment {
            let ends_hellos = if is_reset { Some(StepEnd::Reset) } else { is_lost.then_some(StepEnd::Silent) };
            let fault = if is_cut { Some(StepEnd::Silent) } else { ends_hellos.filter(|_| experiment != Experiment::SynWalk) };
            return walk(site, experiment, name, fault);
        }
        if is_cut {
            facts::unconnected(address)
        } else if is_reset {
            let facts = facts::ended(address, &hello, TlsEnd::Reset, true);
            if experiment == Experiment::ReplyTtl { facts::with_reply_ttl(facts, Reply::Reset, 65 - FAULTY) } else { facts }
        } else if is_lost {
            facts::ended(address, &hello, TlsEnd::TimedOut, false)
        } else if is_mute || matches!(experiment, Experiment::NonTls | Experiment::LargeNonTls) {
            facts::ended(address, &hello, TlsEnd::TimedOut, true)
        } else {
            let is_short = has(&|fault| matches!(fault, Fault::Chain(at) if *at == place));
            facts::established(address, &hello, if is_short { &self.pki.chain[..1] } else { &self.pki.chain })
        }
    }

    fn site(&self, seat: usize) -> usize {
        let group = &self.fleet[seat].group;
        let mut groups: Vec<&Group> = self.fleet.iter().map(|view| &view.group).collect();
        groups.dedup();
        groups.iter().position(|other| *other == group).unwrap_or_default()
    }
}

fn walk(site: usize, experiment: Experiment, name: Option<&str>, fault: Option<StepEnd>) -> Facts {
    let number = u8::try_from(site).unwrap_or(u8::MAX);
    let named = |hop: u8| (experiment == Experiment::SynWalk).then(|| IpAddr::from([198, 19, if hop > FAULTY { 255 } else { number }, hop]));
    let steps = (1..=ROUTERS + 1).map(|hop| match fault {
        Some(end) if hop >= FAULTY => end,
        _ if hop > ROUTERS => StepEnd::Answered,
        _ => StepEnd::Expired(named(hop)),
    });
    let payload = if experiment == Experiment::SynWalk { WalkPayload::Syn } else { WalkPayload::Hello(name.map(str::to_owned)) };
    let mut over = false;
    facts::walked(payload, steps.take_while(|end| !std::mem::replace(&mut over, matches!(end, StepEnd::Reset | StepEnd::Answered))))
}

/// Waves of follow-ups in which everything that can be asked is asked.
const WAVES: usize = 4;
