use parallax_model::incident::{Incident, IncidentNews, Transition};

/// Says what happened between two states of the same check's incidents, each event once.
///
/// An incident whose beginning a late result moved has another identifier and is the same event: it is recognised by a common cause and time.
pub fn news(before: &[Incident], after: &[Incident]) -> Vec<IncidentNews> {
    let mut news = Vec::new();
    for incident in after.iter().filter(|incident| !incident.informational) {
        let former =
            before.iter().find(|former| former.id == incident.id).or_else(|| before.iter().find(|former| is_gone(former, after) && is_same(former, incident)));
        let mut tell = |transition| news.push(IncidentNews { transition, incident: incident.clone() });
        let Some(former) = former else {
            tell(Transition::Opened);
            if incident.confirmed_at.is_some() {
                tell(Transition::Confirmed);
            }
            if !incident.is_open() {
                tell(over(incident));
            }
            continue;
        };
        if incident.episodes > former.episodes {
            tell(Transition::Reopened);
        }
        if incident.confirmed_at.is_some() && former.confirmed_at.is_none() {
            tell(Transition::Confirmed);
        }
        if !incident.is_open() && (former.is_open() || incident.episodes > former.episodes) {
            tell(over(incident));
        }
    }
    news
}

fn over(incident: &Incident) -> Transition {
    if incident.confirmed_at.is_some() { Transition::Ended } else { Transition::Passed }
}

fn is_gone(former: &Incident, after: &[Incident]) -> bool {
    !after.iter().any(|incident| incident.id == former.id)
}

fn is_same(former: &Incident, incident: &Incident) -> bool {
    let common = former.causes.iter().any(|span| incident.causes.iter().any(|other| other.cause == span.cause));
    common && former.started_at <= incident.last_failing_at && incident.started_at <= former.last_failing_at
}
