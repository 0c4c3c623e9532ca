//! Where the coordinator is and how to prove who one is: a context file, or three flags.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{args::Global, exit::Failure};

/// A context: what a command needs to reach a coordinator.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// `HOST:PORT`.
    pub coordinator: String,
    /// The fleet's certificate authority (PEM).
    pub authority_pem: String,
    /// The operator's token.
    pub token: String,
}

/// A context and where each of its values came from.
pub struct Effective {
    /// The values.
    pub context: Context,
    /// The sources of coordinator, authority and token, in words.
    pub sources: [String; 3],
}

/// Finds the context: flags and environment first, then the context file.
pub fn effective(global: &Global) -> Result<Effective, Failure> {
    let given = [global.coordinator.is_some(), global.ca.is_some(), global.token.is_some()];
    let needs_file = given.contains(&false);
    let file = match (&global.context, needs_file) {
        (Some(path), _) => Some((path.clone(), read(path)?)),
        (None, true) => {
            let path = default_path();
            if !path.exists() {
                return Err(Failure::usage(format!(
                    "no context: give --context FILE (the coordinator writes one to DATA_DIR/admin.toml), or --coordinator, --ca and --token, or put one at {}",
                    path.display()
                )));
            }
            Some((path.clone(), read(&path)?))
        }
        (None, false) => None,
    };
    let authority = match &global.ca {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read --ca {}: {error}", path.display())))?;
            Some(text)
        }
        None => None,
    };
    let from_file = |pick: fn(&Context) -> &String| file.as_ref().map(|(_, context)| pick(context).clone()).unwrap_or_default();
    let source = |flag: bool, name: &str| match (&file, flag) {
        (_, true) => format!("--{name} or PARALLAX_{}", name.to_uppercase()),
        (Some((path, _)), false) => path.display().to_string(),
        (None, false) => String::new(),
    };
    Ok(Effective {
        context: Context {
            coordinator: global.coordinator.clone().unwrap_or_else(|| from_file(|context| &context.coordinator)),
            authority_pem: authority.unwrap_or_else(|| from_file(|context| &context.authority_pem)),
            token: global.token.clone().unwrap_or_else(|| from_file(|context| &context.token)),
        },
        sources: [source(given[0], "coordinator"), source(given[1], "ca"), source(given[2], "token")],
    })
}

/// Returns where the context is looked for when no flag names one.
pub fn default_path() -> PathBuf {
    let home = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = home("XDG_CONFIG_HOME").or_else(|| home("HOME").map(|home| home.join(".config"))).unwrap_or_else(|| PathBuf::from("."));
    base.join("parallax").join("context.toml")
}

fn read(path: &Path) -> Result<Context, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read the context {}: {error}", path.display())))?;
    toml::from_str(&text).map_err(|error| Failure::usage(format!("the context {} is not valid: {}", path.display(), error.message())))
}

/// Writes a context where it is looked for by default, readable by its owner alone.
pub fn save(context: &Context) -> Result<PathBuf, Failure> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let path = default_path();
    let text = toml::to_string(context).map_err(|error| Failure::new(crate::exit::ERROR, error.to_string()))?;
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())
    });
    written.map(|()| path.clone()).map_err(|error| Failure::new(crate::exit::ERROR, format!("cannot write {}: {error}", path.display())))
}
