//! Servers and resolvers of a scenario: configuration for nginx and dnsmasq.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    sandbox::HOME,
    scenario::{Origin, Resolver},
};

/// Returns the configuration of one nginx for all virtual hosts of a namespace.
pub(super) fn nginx(origins: &[&Origin], folder: &str) -> String {
    nginx_frame(folder, &origins.iter().map(|origin| server(origin)).collect::<String>())
}

/// Returns the configuration of an nginx whose `http` block ends with `body`.
///
/// Access goes to no log, errors to `error.log` beside the configuration.
pub(super) fn nginx_frame(folder: &str, body: &str) -> String {
    let mut text = format!(
        "user root;\nworker_processes 1;\ndaemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log info;\nevents {{ worker_connections 512; }}\nhttp {{\n  access_log off;\n  server_names_hash_bucket_size 128;\n"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "  {kind}_temp_path {folder}/{kind};");
    }
    text.push_str(body);
    text.push_str("}\n");
    text
}

fn server(origin: &Origin) -> String {
    let mut text = String::from("  server {\n");
    for address in &origin.listen {
        let tls = if origin.tls { " ssl" } else { "" };
        let _ = writeln!(text, "    listen {address}{tls} {};", origin.listen_options);
    }
    let _ = writeln!(text, "    server_name {};", origin.names.join(" "));
    if origin.tls {
        let id = &origin.certificate;
        let _ = writeln!(text, "    ssl_certificate {HOME}/pki/{id}.pem;\n    ssl_certificate_key {HOME}/pki/{id}.key;");
        if !origin.directives.iter().any(|directive| directive.starts_with("ssl_protocols")) {
            text.push_str("    ssl_protocols TLSv1.2 TLSv1.3;\n");
        }
    }
    for directive in &origin.directives {
        let _ = writeln!(text, "    {directive}");
    }
    let _ = writeln!(text, "    location / {{ {} }}\n  }}", origin.location);
    text
}

/// Returns the arguments of a dnsmasq that knows the resolver's records and nothing else.
pub(super) fn dnsmasq(resolver: &Resolver) -> Vec<String> {
    let mut arguments: Vec<String> =
        // In its debugging mode one silent TCP connection keeps everybody waiting.
        ["--keep-in-foreground", "--user=root", "--group=", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll", "--local=//", "--pid-file=", "--log-facility=-", "--cache-size=0"]
            .map(str::to_owned)
            .to_vec();
    arguments.push(format!("--port={}", resolver.port));
    for (name, addresses) in &resolver.records {
        arguments.extend(addresses.iter().map(|address| format!("--host-record={name},{address}")));
    }
    arguments
}

/// Groups the origins by the namespace that they run in.
pub(super) fn by_node(origins: &[Origin]) -> BTreeMap<&str, Vec<&Origin>> {
    let mut nodes: BTreeMap<&str, Vec<&Origin>> = BTreeMap::new();
    for origin in origins {
        nodes.entry(&origin.at).or_default().push(origin);
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::scenario::Scenario;

    #[test]
    fn a_protocol_directive_replaces_the_default_one() {
        let scenario = Scenario::parse("x", "title=''\n[[origin]]\ndirectives=['ssl_protocols TLSv1;']\n[[probe]]\n").unwrap();
        let text = nginx(&by_node(&scenario.origins)["s1"], "/run/lab/s1");
        assert_eq!(text.matches("ssl_protocols").count(), 1);
        assert!(text.contains("listen 192.0.2.11:443 ssl ;") && text.contains("server_name www.example.test;"));
    }
}
