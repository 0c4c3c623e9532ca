use parallax_tls::{
    ClientHello,
    fingerprint::{ja3, ja4},
    registry::ExtensionType,
};

use super::*;

const TABLE: &str = include_str!("../../testdata/clients.tsv");
/// The recordings were made with this name.
const RECORDED_NAME: &str = "test.local";

fn hello(profile: &Profile, name: Option<&str>) -> ClientHello {
    profile.client.as_ref().unwrap().sample(name)
}

fn table() -> impl Iterator<Item = [&'static str; 4]> {
    TABLE.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap())
}

#[test]
fn the_default_profiles_are_built_in_and_in_order() {
    let names: Vec<String> = Profile::defaults().into_iter().map(|profile| profile.name.to_string()).collect();
    assert_eq!(names, DEFAULT_PROFILES);
    assert!(Profile::builtin("no-such-profile").is_none());
}

#[test]
fn every_client_has_the_fingerprints_it_was_seen_with() {
    let mut seen = 0;
    for [name, _, wanted4, wanted3] in table() {
        let profile = Profile::builtin(name).unwrap_or_else(|| panic!("{name} is not built in"));
        let hello = hello(&profile, Some(RECORDED_NAME));
        assert_eq!(ja4(&hello), wanted4, "{name}");
        if wanted3 != "-" {
            assert_eq!(ja3(&hello), wanted3, "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, Profile::clients().len(), "every client stands in the table");
}

#[test]
fn every_client_has_the_size_it_was_seen_with() {
    for [name, wanted, ..] in table() {
        let client = Profile::builtin(name).unwrap().client.unwrap();
        let size = |letters: usize| client.sample(Some(&"a".repeat(letters))).to_records(client.hello.record_version).len();
        // The others were recorded with names of 8 to 15 letters.
        assert!((8..=15).map(size).any(|size| size.to_string() == wanted), "{name} has {} bytes and more, not {wanted}", size(8));
    }
}

#[test]
fn a_recorded_client_is_written_byte_for_byte() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/hellos");
    let mut recordings = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().strip_suffix(".hex").unwrap();
        let wire = std::fs::read_to_string(&path).unwrap().trim().parse::<crate::bytes::Bytes>().unwrap().0;
        let recorded = ClientHello::decode(&wire[5..]).unwrap();
        let key = |group| match recorded.extension(ExtensionType::KEY_SHARE) {
            Some(parallax_tls::Extension::KeyShare(shares)) => shares.iter().find(|share| share.0 == group).unwrap().1.clone(),
            _ => panic!("{name} has no shares"),
        };
        let mut session_id = [0; 32];
        session_id[..recorded.session_id.len()].copy_from_slice(&recorded.session_id);
        let fresh = Fresh { random: recorded.random, session_id, public_key: &key };
        let layout = &Profile::builtin(name).unwrap().client.unwrap().hello;
        assert_eq!(crate::bytes::Bytes(layout.records(recorded.server_name(), &fresh)), crate::bytes::Bytes(wire), "{name}");
        recordings += 1;
    }
    assert_eq!(recordings, 23);
}

#[test]
fn names_stand_for_one_profile_each() {
    let mut names: Vec<String> = Profile::recipes().iter().map(|profile| profile.name.to_string()).collect();
    names.push(ALL_CLIENTS.to_owned());
    for client in Profile::clients() {
        let profile = client.profile();
        names.push(profile.name.to_string());
        names.extend(profile.client.as_ref().unwrap().aliases.iter().map(ToString::to_string));
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn short_names_are_kept_as_the_name() {
    for (short, client) in [("chrome", "chromium-156"), ("firefox", "firefox-153"), ("safari", "safari-26"), ("java8", "java-8u161")] {
        let (found, wanted) = (Profile::builtin(short).unwrap(), Profile::builtin(client).unwrap());
        assert_eq!((found.name.as_str(), &found.client), (short, &wanted.client));
    }
    assert!(Profile::builtin("nginx-upstream").unwrap().client.is_none(), "the recipe of old keeps its name");
}

#[test]
fn a_recipe_says_what_the_layout_offers() {
    let chrome = Profile::builtin("chrome").unwrap().hello;
    assert_eq!((chrome.versions, chrome.key_shares), (vec![0x0304, 0x0303], vec![0x11ec, 0x001d]));
    assert!(chrome.server_name && chrome.alpn == ["h2", "http/1.1"]);
    let nginx = Profile::builtin("nginx-1.22-proxy").unwrap().hello;
    assert_eq!((nginx.versions, nginx.server_name), (vec![0x0303], false));
}

#[test]
fn padding_is_there_when_the_message_needs_it() {
    let curl = Profile::builtin("curl").unwrap();
    let padded = |name: Option<&str>| hello(&curl, name).extension(ExtensionType::PADDING).is_some();
    assert_eq!(hello(&curl, Some("a.example")).encode().len(), 512);
    assert!(padded(Some("a.example")));
    assert!(padded(None));
    assert!(!padded(Some(&"a".repeat(250))), "more than 512 bytes as it is");
    let names = |name| hello(&curl, name).server_name().map(str::to_owned);
    assert_eq!((names(Some("a.example")).as_deref(), names(None)), (Some("a.example"), None));
}

fn small(extensions: &str) -> String {
    format!(
        "name = \"kiosk\"\nsummary = \"terminals\"\n\n[hello]\ncipher-suites = [\n    \"TLS_AES_128_GCM_SHA256\",\n    \"0x1302\",\n]\nextensions = [\n{extensions}\n]\n"
    )
}

#[test]
fn a_definition_reads_back_from_what_it_writes() {
    for client in Profile::clients() {
        let layout = &client.profile().client.as_ref().unwrap().hello;
        let again: HelloLayout = toml::from_str(&toml::to_string(layout).unwrap()).unwrap();
        assert_eq!(again, *layout, "{}", client.profile().name);
    }
}

#[test]
fn a_definition_with_an_error_is_refused_with_line_and_reason() {
    let fine = small("    \"server_name\",\n    { supported_groups = [\"x25519\"] },");
    assert!(fine.parse::<Definition>().is_ok());
    let cases = [
        (fine.replace("\"0x1302\"", "\"TLS_AES_128\""), Some(7), "TLS_AES_128"),
        (fine.replace("\"x25519\"", "\"x25518\""), Some(11), "x25518"),
        (fine.replace("\"server_name\"", "\"sever_name\""), Some(10), "sever_name"),
        (fine.replace("\"server_name\"", "\"supported_groups\""), Some(10), "needs a body"),
        (fine.replace("\"server_name\"", "{ server_name = \"00\" }"), Some(10), "for every target"),
        (fine.replace("\"server_name\"", "{ renegotiation_info = \"0\" }"), Some(10), "hexadecimal"),
        (small("    \"server_name\",\n    \"server_name\","), Some(9), "server_name stands twice"),
        (fine.replace("summary", "sumary"), Some(2), "sumary"),
        (fine.replace("[hello]", "[hello]\nsession-id = 33"), Some(5), "0 to 32"),
        (fine.replace("name = \"kiosk\"", "name = \"-\""), Some(1), "a name starts with"),
        (fine.replace("[hello]", "[hello"), Some(4), ""),
        (fine.replace("summary = \"terminals\"\n", ""), None, "summary"),
        (" ".repeat(Definition::MAX_BYTES + 1), None, "at most"),
    ];
    for (text, line, reason) in cases {
        let error = text.parse::<Definition>().unwrap_err();
        assert!(error.reason.contains(reason), "{error} should say {reason:?}");
        if line.is_some() {
            assert_eq!(error.line, line, "{error}\n{text}");
        }
    }
}
