//! `parallax watch`: each verdict of a check as it is made, and what becomes of incidents, each event once.

use parallax_model::{incident::IncidentNews, verdict::Verdict};
use parallax_proto::v1::WatchVerdictsRequest;
use serde_json::{Value, json};

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
        let news = made.incident_news_json.iter().filter_map(|json| serde_json::from_str::<IncidentNews>(json).ok());
        match output {
            Output::Table => {
                render::answer(&format!("{}  {}", super::instant(verdict.started_at), render::verdict::summary(&verdict)));
                news.for_each(|news| render::answer(&render::incident::one_line(news.transition.as_str(), &news.incident)));
            }
            Output::Json | Output::Jsonl => render::json_line(&document(&verdict, news.collect()))?,
            Output::Wide | Output::Yaml | Output::Csv | Output::Nagios => {
                render::verdict::print(&verdict, output)?;
            }
        }
    }
    Ok(DONE)
}

/// Adds to a verdict what it did to incidents.
fn document(verdict: &Verdict, news: Vec<IncidentNews>) -> Value {
    let mut document = json!(verdict);
    if !news.is_empty() {
        document["incident_news"] = json!(news);
    }
    document
}
