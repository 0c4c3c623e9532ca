//! `parallax context` and `parallax config`: which coordinator, and from where that is known.

use serde_json::{Map, json};

use crate::{
    args::{Context, Global},
    config,
    exit::{DONE, Failure},
    render::{self, listing},
};

/// Runs `parallax context`.
pub(super) fn run(words: &Context, global: &Global) -> Result<u8, Failure> {
    match words {
        Context::Show => show(global),
        Context::Use { file } => {
            let chosen = config::effective(&Global { context: Some(file.clone()), coordinator: None, ca: None, token: None, output: global.output })?;
            let path = config::save(&chosen.context)?;
            render::remark(&format!("commands without --context now use {} (kept in {})", chosen.context.coordinator, path.display()));
            Ok(DONE)
        }
    }
}

/// Runs `parallax config show`: effective values and where each came from; the token is not shown.
pub(super) fn show(global: &Global) -> Result<u8, Failure> {
    let effective = config::effective(global)?;
    let [coordinator, authority, token] = effective.sources;
    let shown = |value: &str, source: String| json!({"value": value, "from": source});
    let document = Map::from_iter([
        ("coordinator".to_owned(), shown(&effective.context.coordinator, coordinator)),
        ("ca".to_owned(), shown(&format!("{} bytes of PEM", effective.context.authority_pem.len()), authority)),
        ("token".to_owned(), shown("(hidden)", token)),
    ]);
    listing::one(&document, global.output).map(|()| DONE)
}
