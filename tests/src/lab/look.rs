//! Looks at a scenario from its namespaces without the products, and compares with the symptoms that its file states.

use std::{
    net::{IpAddr, SocketAddr},
    process::Stdio,
};

use serde::Serialize;

use super::{
    Lab, LabError,
    scenario::{Hello, Symptom},
};
use crate::device::client::Contact;

/// What one namespace saw.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sight {
    /// The namespace.
    pub from: String,
    /// The address that was tried.
    pub address: String,
    /// Every connection.
    pub contacts: Vec<Contact>,
    /// The hop limits of the resets that arrived there from the address's port.
    pub reset_ttls: Vec<u8>,
    /// The hop limits of the SYN-ACKs.
    pub accept_ttls: Vec<u8>,
    /// What differs from the symptom that the file states; empty if nothing does.
    pub differences: Vec<String>,
}

/// Shows a symptom from each of its namespaces.
pub fn look(lab: &Lab, symptom: &Symptom) -> Result<Vec<Sight>, LabError> {
    symptom.from.iter().map(|node| look_from(lab, symptom, node)).collect()
}

fn look_from(lab: &Lab, symptom: &Symptom, node: &str) -> Result<Sight, LabError> {
    let wrong = |reason: String| LabError::Scenario { id: lab.scenario().id.clone(), reason };
    let mut sight = Sight { from: node.to_owned(), ..Sight::default() };
    let resolved = if symptom.address.is_none() || symptom.resolves.is_some() { resolve(lab, node, &symptom.name)? } else { String::new() };
    let typed = symptom.address.clone().unwrap_or_else(|| resolved.parse::<IpAddr>().map(|ip| SocketAddr::from((ip, 443)).to_string()).unwrap_or_default());
    let address: SocketAddr = typed.parse().map_err(|_| wrong(format!("{typed:?} is not an address with a port")))?;
    lab.sandbox().script(Some(node), &witness(address.port()))?;
    for _ in 0..symptom.times {
        sight.contacts.push(contact(lab, symptom, node, address)?);
    }
    sight.address = address.to_string();
    sight.reset_ttls = hop_limits(lab, node, "resets")?;
    sight.accept_ttls = hop_limits(lab, node, "accepts")?;
    sight.differences = differences(symptom, &sight, &resolved);
    Ok(sight)
}

fn contact(lab: &Lab, symptom: &Symptom, node: &str, address: SocketAddr) -> Result<Contact, LabError> {
    let hello = match symptom.hello {
        Hello::Small => "small",
        Hello::Large => "large",
        Hello::Tls12 => "tls12",
        Hello::Split => "split",
        Hello::Garbage => "garbage",
    };
    let mut command = lab.sandbox().command(Some(node), &lab.programs.device);
    command.args(["look", &address.to_string(), "--name", &symptom.name, "--hello", hello]);
    if let Some(mss) = symptom.mss {
        command.args(["--mss", &mss.to_string()]);
    }
    let output = command.stderr(Stdio::inherit()).output().map_err(|source| LabError::Spawn { program: "lab-device".into(), source })?;
    serde_json::from_slice(&output.stdout).map_err(|error| LabError::Script { node: node.to_owned(), stderr: error.to_string() })
}

fn resolve(lab: &Lab, node: &str, name: &str) -> Result<String, LabError> {
    let output = lab.sandbox().script(Some(node), &format!("getent ahostsv4 {name} || true"))?;
    Ok(output.split_whitespace().next().unwrap_or("nothing").to_owned())
}

fn witness(port: u16) -> String {
    format!(
        "nft -f - <<'END'
table inet look {{}}
delete table inet look
table inet look {{
  set resets {{ typeof ip ttl; size 256; flags dynamic; }}
  set accepts {{ typeof ip ttl; size 256; flags dynamic; }}
  set resets6 {{ typeof ip6 hoplimit; size 256; flags dynamic; }}
  set accepts6 {{ typeof ip6 hoplimit; size 256; flags dynamic; }}
  chain in {{
    type filter hook input priority -300;
    tcp sport {port} tcp flags & rst == rst update @resets {{ ip ttl }}
    tcp sport {port} tcp flags & rst == rst update @resets6 {{ ip6 hoplimit }}
    tcp sport {port} tcp flags & (syn|ack) == syn|ack update @accepts {{ ip ttl }}
    tcp sport {port} tcp flags & (syn|ack) == syn|ack update @accepts6 {{ ip6 hoplimit }}
  }}
}}
END
"
    )
}

fn hop_limits(lab: &Lab, node: &str, set: &str) -> Result<Vec<u8>, LabError> {
    let text = lab.sandbox().script(Some(node), &format!("nft list set inet look {set}; nft list set inet look {set}6"))?;
    let elements = text.split("elements = {").skip(1).filter_map(|rest| rest.split('}').next());
    let mut limits: Vec<u8> = elements.flat_map(|list| list.split(',')).filter_map(|limit| limit.trim().parse().ok()).collect();
    limits.sort_unstable();
    Ok(limits)
}

fn differences(symptom: &Symptom, sight: &Sight, resolved: &str) -> Vec<String> {
    let mut list = Vec::new();
    let mut expect = |what: &str, seen: String, wanted: String| {
        if seen != wanted {
            list.push(format!("{what} is {seen}, and should be {wanted}"));
        }
    };
    for contact in &sight.contacts {
        if symptom.see_each.is_empty() {
            expect("the face", contact.face.clone(), symptom.see.clone());
        }
        if let Some(name) = &symptom.certificate {
            expect("the certificate", contact.certificate.clone().unwrap_or_default(), name.clone());
        }
        if let Some(wanted) = symptom.acknowledged {
            expect("acknowledged", contact.acknowledged.to_string(), wanted.to_string());
        }
        if let Some(wanted) = symptom.out_of_order {
            expect("out of order", contact.out_of_order.to_string(), wanted.to_string());
        }
        if let Some(least) = symptom.slower_than_ms {
            expect("slow", (contact.elapsed_ms >= least).to_string(), true.to_string());
        }
    }
    for wanted in &symptom.see_each {
        let seen = sight.contacts.iter().any(|contact| &contact.face == wanted || contact.certificate.as_ref() == Some(wanted));
        expect(&format!("{wanted:?} seen"), seen.to_string(), true.to_string());
    }
    if let Some(wanted) = &symptom.resolves {
        expect("the name's address", resolved.to_owned(), wanted.clone());
    }
    if let Some(wanted) = symptom.reset_ttl {
        expect("the hop limit of resets", format!("{:?}", sight.reset_ttls), format!("[{wanted}]"));
    }
    if let Some(wanted) = symptom.accept_ttl {
        expect("the hop limit of SYN-ACKs", format!("{:?}", sight.accept_ttls), format!("[{wanted}]"));
    }
    list
}
