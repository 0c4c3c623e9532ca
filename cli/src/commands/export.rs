//! `parallax export`: everything of one kind, for other programs.

use crate::{
    args::{Export, ExportWhat, Output},
    client::Client,
    exit::{DONE, Failure},
};

const LIMIT: u32 = 1_000_000;

/// Runs the command; the table form is JSON lines, since this is for programs.
pub(super) async fn run(client: &mut Client, words: &Export, output: Output) -> Result<u8, Failure> {
    let output = if output == Output::Table { Output::Jsonl } else { output };
    match words.what {
        ExportWhat::Checks => super::check::listing(client).await?.print(output)?,
        ExportWhat::Vantages => super::vantage::listing(client).await?.print(output)?,
        ExportWhat::Verdicts => {
            let verdicts = super::verdicts(client, "", "", super::ago(words.since), super::now(), LIMIT).await?;
            super::history::listing(&verdicts).print(output)?;
        }
    }
    Ok(DONE)
}
