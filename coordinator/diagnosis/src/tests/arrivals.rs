//! Rounds whose attempts lie in another order than they were made in.

use super::{case::Case, expand, pki::PKI};
use crate::arrival;

#[test]
fn chains_are_numbered_as_they_came_and_not_as_they_lie() {
    let late_first = "title = \"order\"\nhealthy = false\nresponders = false\n[[see]]\nfrom = \"a\"\nsecond = 9.0\nchain = \"renewed\"\n[[see]]\nfrom = \"b\"\nchain = \"good\"\n";
    let round = expand::round(&toml::from_str::<Case>(late_first).unwrap());
    let (arrivals, chains) = arrival::read(&round);
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.attempt.started_at));
    assert_ne!(arrivals[0].attempt.id, round.attempts[0].id, "they lie in another order");
    let sent: Vec<_> = chains.iter().map(|chain| chain.sent.to_vec()).collect();
    assert_eq!(sent, [PKI.chain("good"), PKI.chain("renewed")]);
    for arrival in &arrivals {
        assert_eq!(arrival.chain.map(|at| chains[at].sent).unwrap_or_default(), arrival.attempt.facts.certificates());
    }
}
