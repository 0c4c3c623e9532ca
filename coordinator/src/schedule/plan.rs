//! Which vantages a check takes: pure, so that both the schedule and an operator's dry run get the same answer.

use std::collections::BTreeSet;

use parallax_model::{
    check::Check,
    id::VantageName,
    vantage::{Standing, Vantage},
};

/// Returns the vantages that take part, by name: selected, not put aside by an operator, thinned out by `diverse` and `limit`.
///
/// `preferred` come first when a limit leaves some out; a scheduled check prefers none, so that its set does not change with every lost session.
pub(crate) fn eligible<'a>(check: &Check, fleet: &'a [Vantage], preferred: &BTreeSet<VantageName>) -> Vec<&'a Vantage> {
    let mut candidates: Vec<&Vantage> =
        fleet.iter().filter(|vantage| vantage.standing == Standing::Active && check.from.matches(vantage.name.as_str(), &vantage.labels)).collect();
    candidates.sort_by_key(|vantage| (!preferred.contains(&vantage.name), &vantage.name));
    let limit = check.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut chosen = if check.diverse.is_empty() { candidates } else { diverse(candidates, &check.diverse) };
    chosen.truncate(limit);
    chosen.sort_by_key(|vantage| &vantage.name);
    chosen
}

/// Orders vantages so that every one differs from those before it in as many of the labels as possible; one that differs in none is left out.
fn diverse<'a>(mut candidates: Vec<&'a Vantage>, labels: &[String]) -> Vec<&'a Vantage> {
    let mut chosen = Vec::new();
    let mut seen: BTreeSet<(&str, Option<&str>)> = BTreeSet::new();
    loop {
        let fresh = |vantage: &Vantage| labels.iter().filter(|label| !seen.contains(&(label.as_str(), vantage.labels.get(*label).map(String::as_str)))).count();
        let best = candidates.iter().enumerate().map(|(at, vantage)| (fresh(vantage), at)).filter(|(count, _)| *count > 0);
        let Some((_, at)) = best.max_by_key(|(count, at)| (*count, std::cmp::Reverse(*at))) else { return chosen };
        let vantage: &'a Vantage = candidates.remove(at);
        seen.extend(labels.iter().map(|label| (label.as_str(), vantage.labels.get(label).map(String::as_str))));
        chosen.push(vantage);
    }
}

#[cfg(test)]
mod tests {
    use parallax_model::{clock::Timestamp, vantage::Labels};

    use super::*;

    fn fleet() -> Vec<Vantage> {
        let rows = [
            ("a", "north", "1", "de", Standing::Active),
            ("b", "north", "1", "de", Standing::Active),
            ("c", "south", "1", "at", Standing::Active),
            ("d", "south", "2", "de", Standing::Cordoned),
            ("e", "west", "2", "ch", Standing::Active),
            ("f", "west", "3", "ch", Standing::Banned),
            ("g", "west", "3", "ch", Standing::Draining),
        ];
        let vantage = |(name, site, asn, country, standing): (&str, &str, &str, &str, Standing)| Vantage {
            name: name.parse().unwrap(),
            labels: Labels::from([("site".into(), site.into()), ("asn".into(), asn.into()), ("country".into(), country.into())]),
            standing,
            version: String::new(),
            enrolled_at: Timestamp::default(),
            last_seen: None,
            egress: None,
            clock_offset_ms: None,
            capabilities: Vec::new(),
        };
        rows.map(vantage).into()
    }

    fn names(from: &str, limit: Option<u32>, labels: &[&str], preferred: &[&str]) -> String {
        let check = Check {
            from: from.parse().unwrap(),
            limit,
            diverse: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..Check::once("x.test".parse().unwrap(), Timestamp::default())
        };
        let preferred = preferred.iter().map(|name| name.parse().unwrap()).collect();
        eligible(&check, &fleet(), &preferred).iter().map(|vantage| vantage.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn selector_limit_and_diversity_choose() {
        for (from, limit, labels, preferred, expected) in [
            ("all", None, &[][..], &[][..], "a b c e"),
            ("site=south", None, &[], &[], "c"),
            ("f or g", None, &[], &[], ""),
            ("all", Some(2), &[], &[], "a b"),
            ("all", Some(2), &[], &["e", "c"], "c e"),
            ("all", Some(1), &[], &["g"], "a"),
            ("all", None, &["site"], &[], "a c e"),
            ("all", None, &["asn"], &[], "a e"),
            ("all", Some(2), &["asn", "country"], &[], "a e"),
            ("all", Some(3), &["asn", "country"], &[], "a c e"),
            ("all", None, &["no-such-label"], &[], "a"),
        ] {
            assert_eq!(names(from, limit, labels, preferred), expected, "{from} {limit:?} {labels:?} {preferred:?}");
        }
    }
}
