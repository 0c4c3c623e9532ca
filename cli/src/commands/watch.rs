//! `parallax watch`: each verdict of a check as it is made.

use parallax_proto::v1::WatchVerdictsRequest;

use crate::{
    args::{Output, Watch},
    client::Client,
    exit::{DONE, Failure},
    render,
};

/// Runs the command until it is interrupted.
pub(super) async fn run(client: &mut Client, words: &Watch, output: Output) -> Result<u8, Failure> {
    let mut verdicts = client.watch_verdicts(WatchVerdictsRequest { check: words.name.clone() }).await?.into_inner();
    while let Some(made) = verdicts.message().await? {
        let verdict = super::read_verdict(&made.verdict_json)?;
        match output {
            Output::Table => render::answer(&format!("{}  {}", super::instant(verdict.started_at), render::verdict::summary(&verdict))),
            Output::Json | Output::Jsonl => render::json_line(&verdict)?,
            Output::Wide | Output::Yaml | Output::Csv | Output::Nagios => {
                render::verdict::print(&verdict, output)?;
            }
        }
    }
    Ok(DONE)
}
