//! `parallax profile`: what is sent under which name.

use parallax_model::profile::{DEFAULT_PROFILES, Profile};
use serde_json::json;

use crate::{
    args::{self, Output},
    exit::{DONE, Failure},
    render::listing::Listing,
};

/// Runs the command.
pub(super) fn run(_words: &args::Profile, output: Output) -> Result<u8, Failure> {
    let profiles = Profile::all();
    let default = |profile: &Profile| DEFAULT_PROFILES.contains(&profile.name.as_str());
    let row = |profile: &Profile| vec![profile.name.to_string(), if default(profile) { "yes" } else { "" }.to_owned(), profile.summary.clone()];
    let listing = Listing {
        headings: &["PROFILE", "DEFAULT", "WHAT IS SENT"],
        rows: profiles.iter().map(row).collect(),
        documents: profiles.iter().map(|profile| json!(profile)).collect(),
        empty: "no profiles",
    };
    listing.print(output).map(|()| DONE)
}
