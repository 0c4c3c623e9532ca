//! Finding what a server accepts of a list: offer all, take the chosen one away, offer the rest, until it refuses; then the list reversed.

use parallax_model::facts::{Accepted, AuditAnswer};

use super::ask::{Ask, Question, Reply};

/// What is offered and how the choice is read.
pub(super) trait Kind {
    /// Writes the hello that offers these.
    fn ask(&self, offered: &[u16]) -> Ask;

    /// Reads the choice out of an answer.
    fn choice(&self, reply: &Reply) -> Option<u16>;
}

/// The question which numbers of a list a server accepts, in which order.
#[derive(Debug)]
pub(super) struct Elimination<K> {
    kind: K,
    stage: Stage,
    /// What is on offer now.
    offered: Vec<u16>,
    /// What was not on offer yet.
    waiting: Vec<u16>,
    longest_offer: usize,
    /// A number that goes last into every offer once the server refused, because others depend on it.
    anchor: Option<u16>,
    is_anchored: bool,
    /// How many offers, each of fresh candidates, brought something.
    fruitful_offers: u32,
    fresh: bool,
    list: List,
}

/// What an elimination found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct List {
    pub(super) accepted: Accepted,
    /// What came back first, or for the first offer that was accepted.
    pub(super) answer: Option<AuditAnswer>,
    /// What was chosen although it was not offered.
    pub(super) unoffered: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Listing,
    /// The accepted ones are offered in reverse.
    Reversed,
    /// They are offered as they were found, to tell a server's favourite that came last from the client's order.
    Forward,
    /// Those of several offers are put into one order; what has been ordered so far.
    Merging(Vec<u16>),
    Done,
}

impl<K: Kind> Elimination<K> {
    /// Starts with all candidates, at most [`LONGEST_OFFER`] in one hello: some servers refuse more than 128 suites.
    pub(super) fn new(kind: K, candidates: Vec<u16>) -> Self {
        let mut question = Self {
            kind,
            stage: Stage::Listing,
            offered: Vec::new(),
            waiting: candidates,
            longest_offer: LONGEST_OFFER,
            anchor: None,
            is_anchored: false,
            fruitful_offers: 0,
            fresh: true,
            list: List::default(),
        };
        question.offer_more();
        question
    }

    /// Names a number that others depend on: once the rest is refused without it, it is offered behind the rest.
    pub(super) fn anchored_to(mut self, anchor: Option<u16>) -> Self {
        self.anchor = anchor;
        self
    }

    fn on_offer(&self) -> Vec<u16> {
        match &self.stage {
            Stage::Listing => self.offered.iter().copied().chain(self.anchor.filter(|_| self.is_anchored)).collect(),
            Stage::Reversed => self.list.accepted.numbers.iter().rev().copied().collect(),
            Stage::Forward => self.list.accepted.numbers.clone(),
            Stage::Merging(ordered) => self.list.accepted.numbers.iter().copied().filter(|number| !ordered.contains(number)).collect(),
            Stage::Done => Vec::new(),
        }
    }

    /// Puts the next candidates on offer, or goes on to the order when there are none.
    fn offer_more(&mut self) {
        let rest = self.waiting.split_off(self.waiting.len().min(self.longest_offer));
        self.offered = std::mem::replace(&mut self.waiting, rest);
        self.fresh = true;
        if self.offered.is_empty() {
            let accepted = self.list.accepted.numbers.len();
            self.stage = if (2..=self.longest_offer).contains(&accepted) { Stage::Reversed } else { Stage::Done };
        }
    }

    fn take(&mut self, chosen: u16) {
        self.list.answer = Some(AuditAnswer::Hello);
        self.list.accepted.numbers.push(chosen);
        self.offered.retain(|number| *number != chosen);
        self.fruitful_offers += u32::from(std::mem::take(&mut self.fresh));
        if self.offered.is_empty() {
            self.offer_more();
        }
    }

    fn refused(&mut self, end: AuditAnswer) {
        if self.list.accepted.numbers.is_empty() {
            self.list.answer = Some(end);
        }
        self.list.accepted.refusal = Some(end);
        let leans_on_anchor = self.anchor.is_some_and(|anchor| self.list.accepted.numbers.contains(&anchor));
        if leans_on_anchor && !self.is_anchored {
            self.is_anchored = true;
            return;
        }
        match end {
            AuditAnswer::Alert(PROTOCOL_VERSION) | AuditAnswer::OtherVersion(_) | AuditAnswer::NotTls if self.list.accepted.numbers.is_empty() => {
                self.stage = Stage::Done;
            }
            AuditAnswer::Alert(_) | AuditAnswer::Hello | AuditAnswer::OtherVersion(_) => self.offer_more(),
            // A correct server says no. One that hangs or hangs up may not bear the length of the hello.
            _ if self.list.accepted.numbers.is_empty() && self.longest_offer > SHORT_OFFER => {
                self.longest_offer = SHORT_OFFER;
                self.waiting = [std::mem::take(&mut self.offered), std::mem::take(&mut self.waiting)].concat();
                self.offer_more();
            }
            _ if self.list.accepted.numbers.is_empty() => self.stage = Stage::Done,
            _ => self.offer_more(),
        }
    }

    fn listed(&mut self, reply: &Reply) {
        match self.kind.choice(reply) {
            Some(chosen) if self.offered.contains(&chosen) => self.take(chosen),
            Some(chosen) if self.is_anchored && self.anchor == Some(chosen) => self.offer_more(),
            Some(chosen) => {
                self.list.unoffered = Some(chosen);
                self.refused(AuditAnswer::Hello);
            }
            None => self.refused(reply.end),
        }
    }

    fn reversed(&mut self, chosen: Option<u16>) {
        let numbers = &self.list.accepted.numbers;
        let is_scattered = self.fruitful_offers > 1;
        match chosen {
            Some(chosen) if numbers.last() == Some(&chosen) && is_scattered => self.stage = Stage::Forward,
            Some(chosen) if numbers.last() == Some(&chosen) => self.ordered_by(false),
            Some(chosen) if numbers.first() == Some(&chosen) || is_scattered => self.ordered_by(true),
            _ => {}
        }
    }

    fn forward(&mut self, chosen: Option<u16>) {
        if let Some(chosen) = chosen {
            self.ordered_by(self.list.accepted.numbers.first() != Some(&chosen));
        }
    }

    fn ordered_by(&mut self, server: bool) {
        self.list.accepted.server_order = Some(server);
        if server && self.fruitful_offers > 1 {
            self.stage = Stage::Merging(Vec::new());
        }
    }

    fn merged(&mut self, mut ordered: Vec<u16>, chosen: Option<u16>) {
        let Some(chosen) = chosen.filter(|chosen| self.list.accepted.numbers.contains(chosen) && !ordered.contains(chosen)) else {
            self.list.accepted.server_order = None;
            return;
        };
        ordered.push(chosen);
        let left: Vec<u16> = self.list.accepted.numbers.iter().copied().filter(|number| !ordered.contains(number)).collect();
        if left.len() > 1 {
            self.stage = Stage::Merging(ordered);
            return;
        }
        ordered.extend(left);
        self.list.accepted.numbers = ordered;
    }
}

impl<K: Kind> Question for Elimination<K> {
    type Finding = List;

    fn next(&self) -> Option<Ask> {
        (self.stage != Stage::Done).then(|| self.kind.ask(&self.on_offer()))
    }

    fn learn(&mut self, reply: &Reply) {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Listing => {
                self.stage = Stage::Listing;
                self.listed(reply);
            }
            Stage::Reversed => self.reversed(self.kind.choice(reply)),
            Stage::Forward => self.forward(self.kind.choice(reply)),
            Stage::Merging(ordered) => self.merged(ordered, self.kind.choice(reply)),
            Stage::Done => {}
        }
    }

    fn finding(self) -> List {
        self.list
    }
}

/// Below the 128 suites that some servers take at most.
pub(super) const LONGEST_OFFER: usize = 120;
/// So few that the hello stays below 256 bytes, from which length on some load balancers hang.
pub(super) const SHORT_OFFER: usize = 40;
const PROTOCOL_VERSION: u8 = 70;

#[cfg(test)]
mod tests {
    use parallax_tls::{
        ServerAnswer, ServerHello,
        registry::{CipherSuite, ProtocolVersion},
    };

    use super::*;
    use crate::audit::suites::SuitesOf;
    use crate::audit::tests::{caller, offered_suites, replied};

    /// A server that accepts these suites, in its own order or the client's, and at most so many in one hello.
    struct Server {
        accepts: Vec<u16>,
        own_order: bool,
        most: usize,
        refusal: AuditAnswer,
    }

    impl Server {
        fn reply(&self, ask: &Ask) -> Reply {
            let offered = offered_suites(ask);
            let in_common = |number: &&u16| offered.contains(number) && self.accepts.contains(number);
            let chosen = if self.own_order { self.accepts.iter().find(in_common) } else { offered.iter().find(in_common) };
            match chosen.filter(|_| offered.len() <= self.most) {
                Some(suite) => {
                    let hello = ServerHello { cipher_suite: CipherSuite(*suite), ..ServerHello::default() };
                    replied(AuditAnswer::Hello, ServerAnswer { server_hello: Some(hello), ..ServerAnswer::default() })
                }
                None => replied(self.refusal, ServerAnswer::default()),
            }
        }
    }

    fn run(server: &Server, candidates: &[u16]) -> (List, usize) {
        let kind = SuitesOf { caller: &caller(), version: ProtocolVersion::TLS12 };
        let mut question = Elimination::new(kind, candidates.to_vec());
        let mut asked = 0;
        while let Some(ask) = question.next() {
            asked += 1;
            assert!(asked < 1_000, "it comes to an end");
            question.learn(&server.reply(&ask));
        }
        (question.finding(), asked)
    }

    fn server(accepts: &[u16], own_order: bool) -> Server {
        Server { accepts: accepts.to_vec(), own_order, most: usize::MAX, refusal: AuditAnswer::Alert(40) }
    }

    #[test]
    fn the_order_is_the_servers_or_the_clients() {
        let own = run(&server(&[5, 3, 9], true), &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let accepted = Accepted { numbers: vec![5, 3, 9], refusal: Some(AuditAnswer::Alert(40)), server_order: Some(true) };
        assert_eq!(own, (List { accepted, answer: Some(AuditAnswer::Hello), unoffered: None }, 5));
        let (clients, asked) = run(&server(&[5, 3, 9], false), &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!((clients.accepted.numbers, clients.accepted.server_order, asked), (vec![3, 5, 9], Some(false), 5));
    }

    #[test]
    fn one_connection_ends_a_version_that_the_server_does_not_speak() {
        let refusing = Server { refusal: AuditAnswer::Alert(70), ..server(&[], true) };
        let candidates: Vec<u16> = (1..=300).collect();
        let (list, asked) = run(&refusing, &candidates);
        assert_eq!((list.answer, list.accepted.numbers.len(), asked), (Some(AuditAnswer::Alert(70)), 0, 1));
        assert_eq!(run(&server(&[], true), &candidates).1, 3, "alert 40 says nothing about the other offers");
    }

    #[test]
    fn candidates_of_several_offers_come_into_one_order() {
        let candidates: Vec<u16> = (1..=300).collect();
        let (list, _) = run(&server(&[250, 7, 130, 1], true), &candidates);
        assert_eq!((list.accepted.numbers, list.accepted.server_order), (vec![250, 7, 130, 1], Some(true)));
        let (list, _) = run(&server(&[250, 7, 130, 1], false), &candidates);
        assert_eq!((list.accepted.numbers, list.accepted.server_order), (vec![1, 7, 130, 250], Some(false)));
    }

    #[test]
    fn a_server_that_hangs_on_long_hellos_is_asked_with_short_ones() {
        let short = Server { most: SHORT_OFFER, refusal: AuditAnswer::Silence, ..server(&[90, 2], true) };
        let (list, _) = run(&short, &(1..=100).collect::<Vec<u16>>());
        assert_eq!((list.answer, list.accepted.numbers), (Some(AuditAnswer::Hello), vec![90, 2]));
        let dead = Server { refusal: AuditAnswer::Silence, ..server(&[], true) };
        assert_eq!(run(&dead, &(1..=100).collect::<Vec<u16>>()).1, 2, "long and short, then it is enough");
    }

    #[test]
    fn a_choice_that_was_not_offered_is_kept_and_ends_the_offer() {
        struct Stubborn;
        impl Kind for Stubborn {
            fn ask(&self, offered: &[u16]) -> Ask {
                SuitesOf { caller: &caller(), version: ProtocolVersion::TLS12 }.ask(offered)
            }
            fn choice(&self, _: &Reply) -> Option<u16> {
                Some(0x1234)
            }
        }
        let mut question = Elimination::new(Stubborn, vec![1, 2]);
        question.learn(&replied(AuditAnswer::Hello, ServerAnswer::default()));
        assert_eq!(question.next(), None);
        let list = question.finding();
        assert_eq!((list.unoffered, list.accepted.numbers.len(), list.accepted.refusal), (Some(0x1234), 0, Some(AuditAnswer::Hello)));
    }
}
