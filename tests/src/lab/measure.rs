//! Lets the probe engine measure in a scenario, without a fleet and without rights, and compares with the facts that the file states.

use std::process::Stdio;

use serde_json::Value;

use super::{
    Lab, LabError,
    scenario::{Either, Measure},
};

/// What a measure brought.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The facts of every attempt, in their order.
    pub facts: Vec<Value>,
    /// What differs from the facts that the file states; empty if nothing does.
    pub differences: Vec<String>,
}

/// Makes the attempts of a measure.
pub fn measure(lab: &Lab, measure: &Measure) -> Result<Measured, LabError> {
    let ports = if measure.source_ports.is_empty() { vec![None] } else { measure.source_ports.iter().copied().map(Some).collect() };
    let mut facts = Vec::new();
    for experiment in &measure.experiments {
        for port in &ports {
            facts.push(attempt(lab, measure, experiment, *port)?);
        }
    }
    let differences = differences(measure, &facts);
    Ok(Measured { facts, differences })
}

fn attempt(lab: &Lab, measure: &Measure, experiment: &str, source_port: Option<u16>) -> Result<Value, LabError> {
    let mut command = lab.without_rights(&measure.from, &lab.programs.device.display().to_string());
    command.args(["measure", &measure.target, &measure.address, experiment, "--profile", &measure.profile]);
    command.args(measure.siblings.iter().flat_map(|sibling| ["--sibling", sibling]));
    if let Some(port) = source_port {
        command.args(["--source-port", &port.to_string()]);
    }
    let output = command.stderr(Stdio::inherit()).output().map_err(|source| LabError::Spawn { program: "lab-device".into(), source })?;
    serde_json::from_slice(&output.stdout).map_err(|error| LabError::Script { node: measure.from.clone(), stderr: error.to_string() })
}

fn differences(measure: &Measure, facts: &[Value]) -> Vec<String> {
    let all = Value::Array(facts.to_vec());
    let mut list = Vec::new();
    for (pointer, wanted) in &measure.facts {
        let (seen, wanted) = (all.pointer(pointer).unwrap_or(&Value::Null), json(wanted));
        if *seen != wanted {
            list.push(format!("{pointer} is {seen}, and should be {wanted}"));
        }
    }
    if let Some(either) = &measure.either {
        list.extend(mixture(either, facts));
    }
    list
}

fn mixture(either: &Either, facts: &[Value]) -> Vec<String> {
    let seen: Vec<&Value> = facts.iter().map(|facts| facts.pointer(&either.at).unwrap_or(&Value::Null)).collect();
    let wanted: Vec<Value> = either.values.iter().map(json).collect();
    let mut list: Vec<String> = seen.iter().filter(|value| !wanted.contains(value)).map(|value| format!("{} is {value}", either.at)).collect();
    list.extend(wanted.iter().filter(|value| !seen.contains(value)).map(|value| format!("{} is never {value}", either.at)));
    let local = |facts: &Value| facts.pointer("/tcp/local").cloned();
    let wavers = |at: &usize| (0..*at).any(|other| local(&facts[other]) == local(&facts[*at]) && seen[other] != seen[*at]);
    if either.by_source_port && (0..facts.len()).any(|at| wavers(&at)) {
        list.push(format!("{} differs at one source port", either.at));
    }
    list
}

/// An empty table stands for what JSON calls null, and TOML cannot write.
fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::Table(table) if table.is_empty() => Value::Null,
        toml::Value::Table(table) => Value::Object(table.iter().map(|(key, value)| (key.clone(), json(value))).collect()),
        toml::Value::Array(values) => Value::Array(values.iter().map(json).collect()),
        value => serde_json::to_value(value).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Scenario;

    fn parsed(text: &str) -> Measure {
        let text = format!("title=''\n[[measure]]\nfrom='a'\nexperiments=['source-port']\n{text}\n[[probe]]\n");
        Scenario::parse("x", &text).unwrap().measures.remove(0)
    }

    #[test]
    fn facts_are_compared_at_their_pointers() {
        let facts = [serde_json::json!({"tls": {"end": "reset"}, "walk": {"steps": [{"end": {"expired": "198.18.1.1"}}]}})];
        let right = parsed("[measure.facts]\n'/0/tls/end'='reset'\n'/0/walk/steps/0/end'={ expired = '198.18.1.1' }\n'/0/reply_ttl'={}\n");
        assert_eq!(differences(&right, &facts), Vec::<String>::new());
        let wrong = parsed("[measure.facts]\n'/0/tls/end'='closed'\n");
        assert_eq!(differences(&wrong, &facts), ["/0/tls/end is \"reset\", and should be \"closed\""]);
    }

    #[test]
    fn a_mixture_follows_the_source_port_or_not() {
        let facts = |port: u16, end: &str| serde_json::json!({"tcp": {"local": format!("198.18.1.10:{port}")}, "tls": {"end": end}});
        let either = parsed("[measure.either]\nat='/tls/end'\nvalues=['reset','established']\nby_source_port=true\n");
        assert!(differences(&either, &[facts(1, "reset"), facts(2, "established"), facts(1, "reset")]).is_empty());
        assert_eq!(differences(&either, &[facts(1, "reset"), facts(1, "established")]).len(), 1);
        assert_eq!(differences(&either, &[facts(1, "reset"), facts(2, "timed-out")]).len(), 2, "a third value, and one that is missing");
    }
}
