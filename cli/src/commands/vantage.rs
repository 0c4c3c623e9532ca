//! `parallax vantage`: the fleet.

use std::collections::BTreeMap;

use parallax_model::clock::Timestamp;
use parallax_proto::v1::{CreateJoinTokenRequest, DeleteVantageRequest, ListVantagesRequest, UpdateVantageRequest, VantageEntry};
use serde_json::{Value, json};

use crate::{
    args::{Output, Token, TokenCreate, Vantage},
    client::Client,
    exit::{DONE, ERROR, Failure},
    render::{
        self,
        listing::{self, Listing},
    },
};

/// Runs the command.
pub(super) async fn run(client: &mut Client, words: Vantage, output: Output) -> Result<u8, Failure> {
    match words {
        Vantage::List => listing(client).await?.print(output)?,
        Vantage::Show { name } => {
            let found = list(client).await?.into_iter().find(|vantage| vantage.name == name);
            let found = found.ok_or_else(|| Failure::new(ERROR, format!("no vantage is called {name:?}; 'parallax vantage list' shows all")))?;
            if let Value::Object(document) = document(&found) {
                listing::one(&document, output)?;
            }
        }
        Vantage::Label { name, labels } => {
            let labels = labels.iter().map(|label| split_label(label)).collect::<Result<BTreeMap<_, _>, _>>()?;
            update(client, UpdateVantageRequest { name, labels, standing: String::new() }).await?;
        }
        Vantage::Cordon { name, undo } => standing(client, name, if undo { "active" } else { "cordoned" }).await?,
        Vantage::Drain { name } => standing(client, name, "draining").await?,
        Vantage::Ban { name } => standing(client, name, "banned").await?,
        Vantage::Delete { name } => {
            client.delete_vantage(DeleteVantageRequest { name: name.clone() }).await?;
            render::remark(&format!("{name} is forgotten; its history stays"));
        }
        Vantage::Token(Token::Create(words)) => token(client, &words, output).await?,
    }
    Ok(DONE)
}

/// Makes the list of all vantages.
pub(super) async fn listing(client: &mut Client) -> Result<Listing, Failure> {
    let vantages = list(client).await?;
    let row = |vantage: &VantageEntry| {
        let labels: Vec<String> = vantage.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        vec![vantage.name.clone(), vantage.state.clone(), vantage.group.clone(), labels.join(" "), vantage.version.clone(), seen(vantage)]
    };
    Ok(Listing {
        headings: &["VANTAGE", "STATE", "GROUP", "LABELS", "VERSION", "LAST SEEN"],
        rows: vantages.iter().map(row).collect(),
        documents: vantages.iter().map(document).collect(),
        empty: "no vantages yet: 'parallax vantage token create' prints the line that starts an agent",
    })
}

/// Asks for all vantages.
pub(super) async fn list(client: &mut Client) -> Result<Vec<VantageEntry>, Failure> {
    Ok(client.list_vantages(ListVantagesRequest {}).await?.into_inner().vantages)
}

fn seen(vantage: &VantageEntry) -> String {
    if vantage.last_seen_us == 0 { "never".to_owned() } else { super::instant(Timestamp::from_micros(vantage.last_seen_us)) }
}

fn document(vantage: &VantageEntry) -> Value {
    json!({
        "name": vantage.name,
        "state": vantage.state,
        "labels": vantage.labels,
        "version": vantage.version,
        "last_seen": (vantage.last_seen_us != 0).then(|| Timestamp::from_micros(vantage.last_seen_us)),
        "clock_offset_ms": vantage.clock_offset_ms,
        "capabilities": vantage.capabilities,
        "group": vantage.group,
        "egress": vantage.egress,
    })
}

fn split_label(text: &str) -> Result<(String, String), Failure> {
    if let Some(key) = text.strip_suffix('=') {
        return Ok((key.to_owned(), String::new()));
    }
    parallax_model::vantage::parse_label(text).map_err(|error| Failure::usage(error.to_string()))
}

async fn standing(client: &mut Client, name: String, standing: &str) -> Result<(), Failure> {
    update(client, UpdateVantageRequest { name, labels: BTreeMap::new(), standing: standing.to_owned() }).await
}

async fn update(client: &mut Client, request: UpdateVantageRequest) -> Result<(), Failure> {
    if let Some(vantage) = client.update_vantage(request).await?.into_inner().vantage {
        render::remark(&format!("{} is {}", vantage.name, vantage.state));
    }
    Ok(())
}

async fn token(client: &mut Client, words: &TokenCreate, output: Output) -> Result<(), Failure> {
    let request = CreateJoinTokenRequest {
        uses: if words.one_off { 1 } else { words.uses.unwrap_or(1) },
        ttl_seconds: words.ttl.as_secs().max(1),
        labels: words.label.iter().cloned().collect(),
    };
    let made = client.create_join_token(request).await?.into_inner();
    if matches!(output, Output::Json | Output::Jsonl) {
        return render::json(&json!({"join": made.join, "expires_at": Timestamp::from_micros(made.expires_at_us), "coordinators": made.coordinators}));
    }
    render::remark(&format!(
        "On the remote host (good until {}; the coordinator must be reachable from there at {}):\n\n  parallax-agent run --data-dir ~/.parallax-agent --name NAME --join {}\n",
        super::instant(Timestamp::from_micros(made.expires_at_us)),
        made.coordinators.join(" or "),
        made.join
    ));
    render::answer(&made.join);
    Ok(())
}
