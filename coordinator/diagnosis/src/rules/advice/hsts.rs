use parallax_model::{assignment::Experiment, facts::HttpFacts, verdict::Cause};

use super::{Hint, Served};

/// Where the server is audited: its answers over TLS do not tell clients to stay with TLS, or for less than half a year (RFC 6797).
pub(super) fn test(served: &Served<'_, '_>) -> Option<Hint> {
    let scene = served.scene;
    let is_audited = (0..scene.seats.len()).any(|seat| scene.bench(seat, Experiment::Audit, served.place).next().is_some());
    let answered = |http: &&HttpFacts| http.status.is_some_and(|status| (200..400).contains(&status));
    let mut seconds = served.seen.iter().filter_map(|(_, look)| look.attempt.facts.http.as_ref()).filter(answered).map(max_age_seconds).peekable();
    let first = *seconds.peek()?;
    (is_audited && first < HALF_A_YEAR && seconds.all(|other| other == first)).then(|| Hint {
        cause: Cause::ServerHsts,
        rule: "strict-transport-security",
        text: match first {
            0 => "the server does not tell its clients to stay with TLS (HSTS)".to_owned(),
            seconds => format!("the server tells its clients to stay with TLS for {} days only (HSTS)", seconds / 86_400),
        },
        counter: Cause::ServerUpstreamFailure,
        next: "look at the headers of other paths (curl -sI https://NAME/)",
    })
}

/// Reads `max-age` (RFC 6797 section 6.1.1); 0 without it.
fn max_age_seconds(http: &HttpFacts) -> u64 {
    let directives = http.strict_transport_security.iter().flat_map(|header| header.split(';'));
    let age = directives.filter_map(|directive| directive.trim().split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"));
    age.and_then(|(_, seconds)| seconds.trim().trim_matches('"').parse().ok()).unwrap_or(0)
}

const HALF_A_YEAR: u64 = 15_552_000;

#[cfg(test)]
mod tests {
    use parallax_model::facts::HttpEnd;

    use super::*;

    #[test]
    fn the_age_is_read_as_the_rfc_writes_it() {
        let of = |header: Option<&str>| {
            let strict_transport_security = header.map(str::to_owned);
            max_age_seconds(&HttpFacts { strict_transport_security, ..HttpFacts::ended(HttpEnd::Answered) })
        };
        assert_eq!(of(Some("includeSubDomains; Max-Age=\"31536000\"; preload")), 31_536_000);
        assert_eq!([of(None), of(Some("preload")), of(Some("max-age=soon"))], [0, 0, 0]);
    }
}
