use std::fmt::Write as _;

use serde::Deserialize;

/// A certificate that a row needs: made by OpenSSL, so that every key, digest and extension is within reach.
///
/// Its files are `ID.crt`, `ID.key` and `ID.pem`, the chain as it is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The name of its files, and by which others refer to it.
    pub id: String,
    /// The subject's common name.
    #[serde(default = "row_name")]
    pub subject: String,
    /// The subject alternative names as OpenSSL writes them; empty for none.
    #[serde(default = "dns_name")]
    pub names: String,
    /// From so many days from now until so many.
    #[serde(default = "ninety_days")]
    pub days: [i32; 2],
    /// Words of `openssl genpkey` behind `-algorithm`.
    #[serde(default = "p256")]
    pub key: String,
    /// The digest of its signature; empty for keys that bring their own.
    #[serde(default = "sha256")]
    pub digest: String,
    /// The certificate that signs it: `intermediate`, `root`, another of the row, or its own.
    #[serde(default = "intermediate")]
    pub issuer: String,
    /// Further extensions, one line each.
    #[serde(default = "for_servers")]
    pub extensions: Vec<String>,
    /// What is sent, in this order; by default itself and its issuer.
    pub sends: Option<Vec<String>>,
}

/// Returns the script that makes the authorities `root` and `intermediate` in the folder that it runs in.
pub(in crate::lab) fn authorities() -> String {
    let authority = |id: &str, subject: &str, issuer: &str| Certificate {
        id: id.to_owned(),
        subject: subject.to_owned(),
        names: String::new(),
        days: [-1_800, 1_800],
        key: p256(),
        digest: sha256(),
        issuer: issuer.to_owned(),
        extensions: vec!["basicConstraints = critical, CA:TRUE".to_owned(), "keyUsage = critical, keyCertSign, cRLSign".to_owned()],
        sends: Some(Vec::new()),
    };
    [PRELUDE.to_owned(), authority("root", "Catalogue Root", "root").script(), authority("intermediate", "Catalogue Intermediate", "root").script()].concat()
}

/// Returns the script that makes the row's certificates, the good one first, in a folder that has the authorities.
pub(in crate::lab) fn script(certificates: &[Certificate]) -> String {
    let good = Certificate {
        id: "good".to_owned(),
        subject: row_name(),
        names: dns_name(),
        days: ninety_days(),
        key: p256(),
        digest: sha256(),
        issuer: intermediate(),
        extensions: for_servers(),
        sends: None,
    };
    let mut text = PRELUDE.to_owned() + &good.script();
    text.push_str("cp good.pem fullchain.pem; cp good.key privkey.pem; cat good.pem good.key > site.pem\n");
    text.extend(certificates.iter().map(Certificate::script));
    text
}

impl Certificate {
    fn script(&self) -> String {
        let Self { id, subject, names, days: [from, until], key, digest, issuer, extensions, sends } = self;
        let mut text = format!("openssl genpkey -algorithm {key} -out {id}.key 2>>openssl.log\n");
        let _ = writeln!(text, "openssl req -new -key {id}.key -subj '/CN={subject}' -out {id}.csr");
        let _ = writeln!(text, "cat > {id}.ext <<'END'\nsubjectKeyIdentifier = hash\n{}\nEND", extensions.join("\n"));
        if !names.is_empty() {
            let _ = writeln!(text, "echo 'subjectAltName = {names}' >> {id}.ext");
        }
        let by = if issuer == id { format!("-selfsign -keyfile {id}.key") } else { format!("-cert {issuer}.crt -keyfile {issuer}.key") };
        let digest = if digest.is_empty() { "default" } else { digest };
        let _ = writeln!(
            text,
            "openssl ca -batch -notext -config ca.cnf -in {id}.csr {by} -md {digest} -startdate $(day {from}) -enddate $(day {until}) -extfile {id}.ext -out {id}.crt 2>>openssl.log"
        );
        let own_chain = if issuer == id || issuer == "root" { vec![id.clone()] } else { vec![id.clone(), issuer.clone()] };
        let sent: Vec<String> = sends.as_ref().unwrap_or(&own_chain).iter().map(|part| format!("{part}.crt")).collect();
        if !sent.is_empty() {
            let _ = writeln!(text, "cat {} > {id}.pem", sent.join(" "));
        }
        text
    }
}

const PRELUDE: &str = "
day() { date -u -d \"$1 days\" +%Y%m%d%H%M%SZ; }
: > index.txt
cat > ca.cnf <<'END'
[ca]
default_ca = lab
[lab]
database = index.txt
new_certs_dir = .
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = optional
END
";

fn row_name() -> String {
    "NAME".to_owned()
}

fn dns_name() -> String {
    "DNS:NAME".to_owned()
}

const fn ninety_days() -> [i32; 2] {
    [-30, 60]
}

fn p256() -> String {
    "EC -pkeyopt ec_paramgen_curve:P-256".to_owned()
}

fn sha256() -> String {
    "sha256".to_owned()
}

fn intermediate() -> String {
    "intermediate".to_owned()
}

fn for_servers() -> Vec<String> {
    vec!["extendedKeyUsage = serverAuth".to_owned(), "keyUsage = digitalSignature".to_owned()]
}
