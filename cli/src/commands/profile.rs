//! `parallax profile`: what is sent under which name.

use std::path::Path;

use parallax_model::profile::{ALL_CLIENTS, DEFAULT_PROFILES, Definition, Profile};
use parallax_tls::fingerprint::{ja3, ja4};
use serde_json::{Value, json};

use crate::{
    args::{self, Output},
    exit::{DONE, Failure},
    render::{self, listing, listing::Listing},
};

/// Runs the command.
pub(super) fn run(words: args::Profile, output: Output) -> Result<u8, Failure> {
    match words {
        args::Profile::List => list().print(output).map(|()| DONE),
        args::Profile::Show { name } => show(&name, output),
        args::Profile::Check { file } => check(&file, output),
    }
}

/// Reads the profile that a file defines; the error names file, line and reason.
pub(super) fn read(path: &Path) -> Result<Definition, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    text.parse().map_err(|error| Failure::usage(format!("{} defines no profile: {error}", path.display())))
}

fn list() -> Listing {
    let profiles = Profile::all();
    let default = |profile: &Profile| DEFAULT_PROFILES.contains(&profile.name.as_str());
    let row = |profile: &Profile| {
        let mark = if default(profile) { "yes".to_owned() } else { String::new() };
        vec![profile.name.to_string(), mark, aliases(profile).join(" "), profile.summary.clone()]
    };
    Listing {
        headings: &["PROFILE", "DEFAULT", "ALSO", "WHAT IS SENT"],
        rows: profiles.iter().map(row).chain([every_client()]).collect(),
        documents: profiles.iter().map(|profile| json!(profile)).collect(),
        empty: "no profiles",
    }
}

fn every_client() -> Vec<String> {
    vec![ALL_CLIENTS.to_owned(), String::new(), String::new(), format!("each of the {} recorded clients above", Profile::clients().len())]
}

fn aliases(profile: &Profile) -> Vec<String> {
    profile.client.iter().flat_map(|client| &client.aliases).map(ToString::to_string).collect()
}

fn show(name: &str, output: Output) -> Result<u8, Failure> {
    let profile = Profile::builtin(name).ok_or_else(|| Failure::usage(format!("there is no profile {name:?}: 'parallax profile list' shows all")))?;
    let definition = Profile::clients().iter().find(|client| client.profile().client == profile.client);
    match (definition, output) {
        (Some(definition), Output::Table | Output::Wide | Output::Nagios) => {
            let marks = marks(&profile).into_iter().map(|(key, value)| format!("# {key} {value}\n")).collect::<String>();
            render::answer(&(marks + definition.text()));
        }
        _ => print(&profile, output)?,
    }
    Ok(DONE)
}

fn check(path: &Path, output: Output) -> Result<u8, Failure> {
    let definition = read(path)?;
    print(definition.profile(), output)?;
    Ok(DONE)
}

/// Prints the profile; people get its marks, scripts the whole of it.
fn print(profile: &Profile, output: Output) -> Result<(), Failure> {
    let mut document = match json!(profile) {
        Value::Object(document) => document,
        _ => serde_json::Map::new(),
    };
    if matches!(output, Output::Table | Output::Wide | Output::Nagios) && profile.client.is_some() {
        document.retain(|key, _| ["name", "summary"].contains(&key.as_str()));
    }
    document.extend(marks(profile));
    listing::one(&document, output)
}

/// Returns the fingerprints of a client's hello and its size on the wire.
fn marks(profile: &Profile) -> Vec<(String, Value)> {
    let Some(client) = &profile.client else { return Vec::new() };
    let hello = client.sample(Some(SAMPLE_NAME));
    let bytes = hello.to_records(client.hello.record_version).len();
    let marks = [("ja4", json!(ja4(&hello))), ("ja3", json!(ja3(&hello))), ("bytes", json!(bytes))];
    marks.map(|(key, value)| (key.to_owned(), value)).into()
}

/// A name of usual length, for the size.
const SAMPLE_NAME: &str = "www.example.com";
