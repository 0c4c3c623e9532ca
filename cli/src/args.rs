//! The words of the command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use parallax_model::{
    cadence::{AuditRounds, Spread},
    id::CheckName,
    resolver::Resolver,
    selector::Selector,
    target::Target,
};

/// Tells whether a failing TLS handshake is the server's fault or the network's, by looking from many places.
#[derive(Parser)]
#[command(name = "parallax", version, propagate_version = true, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  parallax probe api.example.com                      one round from every vantage, now
  parallax probe api.example.com:8443 --from site=fra  from one site
  parallax probe api.example.com --deep               and everything that the server can do
  parallax check create api --target api.example.com --every 60s
  parallax compare api --by asn                       which network differs, and since when
  parallax vantage token create --label site=fra      the line that puts an agent at a remote site
  parallax explain path.sni-filter                    what a cause means and how it is proven

Exit codes: 0 healthy or done, 1 error, 2 usage, 3 server, edge or dns finding, 4 not allowed,
5 path, policy or vantage finding, 6 undetermined, 7 coordinator unreachable, 8 difference found,
124 timed out, 130 interrupted.";

/// Options that may stand before or after the command.
#[derive(Args)]
pub struct Global {
    /// Context file with the coordinator's address, its authority and a token.
    #[arg(long, global = true, value_name = "FILE", env = "PARALLAX_CONTEXT")]
    pub context: Option<PathBuf>,
    /// Coordinator's address, instead of the context's.
    #[arg(long, global = true, value_name = "HOST:PORT", env = "PARALLAX_COORDINATOR")]
    pub coordinator: Option<String>,
    /// Coordinator's certificate authority (PEM), instead of the context's.
    #[arg(long, global = true, value_name = "FILE", env = "PARALLAX_CA")]
    pub ca: Option<PathBuf>,
    /// Operator's token, instead of the context's.
    #[arg(long, global = true, value_name = "T", env = "PARALLAX_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// How the answer is printed.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table, env = "PARALLAX_OUTPUT")]
    pub output: Output,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For people, with everything.
    Wide,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Jsonl,
    /// YAML.
    Yaml,
    /// Comma-separated values.
    Csv,
    /// One line and the exit code of a monitoring plug-in.
    Nagios,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Probes a target once from every vantage and says who is at fault.
    #[command(
        after_help = "Examples:\n  parallax probe api.example.com\n  parallax probe api.example.com:8443@192.0.2.7 --from 'country in (de, at)'\n  parallax probe api.example.com --trust ca.pem --profile tls12 -o json\n  parallax probe api.example.com --profile all-clients    which browsers, libraries and proxies can connect\n  parallax probe api.example.com --resolver system --resolver tls://dns.example.net@192.0.2.53    whether the resolver is lied about"
    )]
    Probe(Box<Probe>),
    /// Schedules checks and shows them.
    #[command(subcommand)]
    Check(Box<Check>),
    /// Shows the fleet and changes it.
    #[command(subcommand)]
    Vantage(Vantage),
    /// Sets the matrix side by side: which vantage, site, network, address or profile differs, and since when.
    Compare(Compare),
    /// Shows the rounds of a check, oldest first, gaps and incidents; -o wide shows each round.
    History(History),
    /// Shows verdicts and what they rest on.
    #[command(subcommand)]
    Verdict(Verdict),
    /// Says what a cause means and how it is mended, or what a pasted error line of a server or client says; works offline.
    Explain(Explain),
    /// Shows the handshake profiles; works offline.
    #[command(subcommand)]
    Profile(Profile),
    /// Writes checks, vantages and verdicts out.
    Export(Export),
    /// Prints each verdict of a check as it is made, and what becomes of incidents.
    Watch(Watch),
    /// Shows or keeps the context that commands use.
    #[command(subcommand)]
    Context(Context),
    /// Shows the effective settings and where each came from.
    #[command(subcommand)]
    Config(Config),
    /// Prints the completion script of a shell.
    Completion(Completion),
    /// Tries everything that a probe needs and says what is missing.
    Doctor,
    /// Prints the versions of this program and of the coordinator.
    Version,
}

/// What is probed and how: shared by `probe` and `check create`.
#[derive(Args)]
pub struct What {
    /// Which vantages: a name, labels such as 'site=fra + not country=de', or all.
    #[arg(long, value_name = "SELECTOR")]
    pub from: Option<Selector>,
    /// Takes at most this many vantages.
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
    /// Thins vantages out so that these labels differ, for example asn,country.
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    pub diverse: Vec<String>,
    /// Handshake profile to try, repeatable; each named one is required to work. A name ('parallax profile list'), all-clients, or a file (kiosk.toml).
    #[arg(long, value_name = "P")]
    pub profile: Vec<String>,
    /// File of a profile of your own to try, repeatable.
    #[arg(long, value_name = "FILE")]
    pub profile_file: Vec<PathBuf>,
    /// Further trust anchors (PEM) for the judgement of certificates.
    #[arg(long, value_name = "FILE")]
    pub trust: Vec<PathBuf>,
    /// Resolver that every vantage asks, repeatable: system, udp://ADDRESS, tcp://ADDRESS, tls://NAME@ADDRESS, tls://ADDRESS, `https://NAME/dns-query[@ADDRESS]`.
    /// The first one's answers are the vantage's own, the others are compared with it [default: system].
    #[arg(long, value_name = "RESOLVER")]
    pub resolver: Vec<Resolver>,
    /// SHA-256 of a public key (SPKI, 64 hexadecimal digits) that the server should have, repeatable.
    #[arg(long, value_name = "SPKI")]
    pub expect_key: Vec<String>,
    /// Read up to 64 KiB of the path's body, where HTTP is spoken: filters and shapers that act only after some volume show there.
    #[arg(long)]
    pub read_body: bool,
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct Probe {
    /// `[SCHEME://]HOST[:PORT][/PATH][@ADDRESS]`; the scheme is https, tls, tcp, quic, or a protocol with `+starttls`: smtp, imap, pop3, ftp, xmpp, xmpp-server, ldap,
    /// postgres, mysql, nntp, sieve
    pub target: Target,
    #[command(flatten)]
    pub what: What,
    /// Also audits each address: versions, suites, groups, certificates, sessions and more, by some hundred small handshakes.
    #[arg(long)]
    pub deep: bool,
    /// Ends by then, verdict included.
    #[arg(long, value_name = "D", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
}

#[derive(Subcommand)]
#[expect(missing_docs, reason = "each has its line of help")]
pub enum Check {
    /// Schedules a check.
    #[command(
        after_help = "Examples:\n  parallax check create api --target api.example.com --every 60s\n  parallax check create nightly --target api.example.com --cron '0 3 * * *' --from site=fra"
    )]
    Create(Box<CheckCreate>),
    /// Lists checks.
    List,
    /// Shows one check with its last verdict.
    Show { name: CheckName },
    /// Holds the rounds of a check back.
    Pause { name: CheckName },
    /// Lets the rounds of a check go on.
    Resume { name: CheckName },
    /// Deletes a check; its history stays.
    Delete { name: CheckName },
    /// Runs one round of a check now.
    Run { name: CheckName },
    /// Makes the checks what a file says.
    Apply(CheckApply),
    /// Prints all checks as a file for `check apply`.
    Export,
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct CheckCreate {
    pub name: CheckName,
    /// What to probe: `[SCHEME://]HOST[:PORT][/PATH][@ADDRESS]`
    #[arg(long)]
    pub target: Target,
    #[command(flatten)]
    pub cadence: CadenceArgs,
    #[command(flatten)]
    pub what: What,
    /// How vantages are spread over a round's window.
    #[arg(long, value_parser = spread, default_value = "aligned", value_name = "aligned|staggered|uniform")]
    pub spread: Spread,
    /// In which rounds each address is also audited, by some hundred small handshakes; daily where nothing is said and TLS over TCP is spoken.
    #[arg(long, value_parser = audit, value_name = "never|daily|every-round")]
    pub audit: Option<AuditRounds>,
    /// The longest that a round may take.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub timeout: Option<Duration>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct CadenceArgs {
    /// A round at this distance, for example 60s.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub every: Option<Duration>,
    /// A round at each minute that a cron expression (UTC) names.
    #[arg(long, value_name = "EXPR")]
    pub cron: Option<String>,
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct CheckApply {
    /// TOML file with `[[check]]` tables, as `check export` prints it.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Says what would change (exit code 8 when anything would) and changes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Deletes checks that the file does not have.
    #[arg(long)]
    pub prune: bool,
}

#[derive(Subcommand)]
#[expect(missing_docs, reason = "each has its line of help")]
pub enum Vantage {
    /// Lists vantages.
    List,
    /// Shows one vantage.
    Show { name: String },
    /// Sets labels (KEY=VALUE) or removes them (KEY=).
    Label { name: String, labels: Vec<String> },
    /// Gives a vantage no new rounds; `--undo` takes it back.
    Cordon {
        name: String,
        #[arg(long)]
        undo: bool,
    },
    /// Lets a vantage finish what it has and then gives it nothing.
    Drain { name: String },
    /// Revokes a vantage's identity at once.
    Ban { name: String },
    /// Forgets a vantage; its history stays.
    Delete { name: String },
    /// Makes join strings.
    #[command(subcommand)]
    Token(Token),
}

#[derive(Subcommand)]
#[expect(missing_docs, reason = "each has its line of help")]
pub enum Token {
    /// Prints a join string on standard output and the ready install line on standard error.
    #[command(after_help = "Example:\n  parallax vantage token create --one-off --ttl 1h --label site=fra")]
    Create(TokenCreate),
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct TokenCreate {
    /// Good for one agent (the default).
    #[arg(long, conflicts_with = "uses")]
    pub one_off: bool,
    /// Good for this many agents.
    #[arg(long, value_name = "N")]
    pub uses: Option<u32>,
    /// How long it is good for.
    #[arg(long, value_name = "D", default_value = "1h", value_parser = duration)]
    pub ttl: Duration,
    /// Label that the vantage gets, KEY=VALUE, repeatable.
    #[arg(long, value_name = "K=V", value_parser = label)]
    pub label: Vec<(String, String)>,
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct Compare {
    /// A check's name, or a target that was probed.
    pub subject: String,
    /// The window that is looked at.
    #[arg(long, value_name = "D", default_value = "1h", value_parser = duration)]
    pub since: Duration,
    /// Compares with the window of this length before it: cells, incidents, keys, addresses; exit code 8 when they differ.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub vs: Option<Duration>,
    /// What stands side by side.
    #[arg(long, value_enum, default_value_t = By::Vantage)]
    pub by: By,
}

/// What a comparison sets side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "plain words")]
pub enum By {
    Vantage,
    Site,
    Asn,
    Address,
    Profile,
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct History {
    /// A check's name.
    pub name: String,
    /// How far back.
    #[arg(long, value_name = "D", default_value = "1d", value_parser = duration)]
    pub since: Duration,
    /// Only the rounds whose findings differ from the round before.
    #[arg(long)]
    pub changes_only: bool,
    /// Only the incidents.
    #[arg(long, conflicts_with = "changes_only")]
    pub incidents: bool,
}

#[derive(Subcommand)]
#[expect(missing_docs, reason = "each has its line of help")]
pub enum Verdict {
    /// Lists the last verdicts.
    List {
        /// How far back.
        #[arg(long, value_name = "D", default_value = "1d", value_parser = duration)]
        since: Duration,
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one verdict by its round.
    Show { id: String },
    /// Shows what a verdict rests on: the rules that fired and those that did not hold, with attempts and facts.
    Explain { id: String },
    /// Writes a verdict as one HTML file to hand on, from the sentence to the packets, and the same as JSON beside it; both leave the fleet's own addresses out.
    #[command(after_help = "Example:\n  parallax verdict bundle ROUND --out incident.html    writes incident.html and incident.json")]
    Bundle(Bundle),
    /// Judges stored rounds by the present rules and shows what would change; exit code 8 when anything would.
    #[command(after_help = "Examples:\n  parallax verdict rejudge --since 7d\n  parallax verdict rejudge --since 1d --check api --store")]
    Rejudge(Rejudge),
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct Bundle {
    pub id: String,
    /// The HTML file; the JSON file is named alike. Without it, both are named after the round.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Who hands it on, and how to be reached; stands at its top.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct Rejudge {
    /// How far back.
    #[arg(long, value_name = "D", default_value = "1d", value_parser = duration)]
    pub since: Duration,
    /// Only the rounds of this check.
    #[arg(long, value_name = "NAME")]
    pub check: Option<CheckName>,
    /// Keeps each verdict that changes, as a further revision.
    #[arg(long)]
    pub store: bool,
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct Explain {
    /// A cause, for example server.chain-incomplete; or an error line of nginx, Apache, HAProxy, Envoy, Go, Java, OpenSSL, curl or a browser; '-' reads it from standard input.
    pub words: Vec<String>,
}

#[derive(Subcommand)]
#[expect(missing_docs, reason = "each has its line of help")]
pub enum Profile {
    /// Lists profiles.
    List,
    /// Shows what a profile sends: its fingerprints, and the file to copy for one of your own.
    Show { name: String },
    /// Says whether a file defines a profile, or in which line it does not.
    Check { file: PathBuf },
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct Export {
    /// What to write.
    #[arg(value_enum)]
    pub what: ExportWhat,
    /// How far back, for verdicts.
    #[arg(long, value_name = "D", default_value = "1d", value_parser = duration)]
    pub since: Duration,
}

/// What is written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "plain words")]
pub enum ExportWhat {
    Checks,
    Vantages,
    Verdicts,
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct Watch {
    /// A check's name.
    pub name: String,
}

#[derive(Subcommand)]
#[expect(missing_docs, reason = "each has its line of help")]
pub enum Context {
    /// Shows the context that is used.
    Show,
    /// Copies a context file to where it is found without flags.
    Use { file: PathBuf },
}

#[derive(Subcommand)]
#[expect(missing_docs, reason = "each has its line of help")]
pub enum Config {
    /// Shows the effective settings.
    Show,
}

#[derive(Args)]
#[expect(missing_docs, reason = "the command documents it")]
pub struct Completion {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write for example 90s, 5m or 2h"))
}

fn label(text: &str) -> Result<(String, String), String> {
    parallax_model::vantage::parse_label(text).map_err(|error| error.to_string())
}

fn audit(text: &str) -> Result<AuditRounds, String> {
    match text {
        "never" => Ok(AuditRounds::Never),
        "daily" => Ok(AuditRounds::Daily),
        "every-round" => Ok(AuditRounds::EveryRound),
        _ => Err("use never, daily or every-round".to_owned()),
    }
}

fn spread(text: &str) -> Result<Spread, String> {
    match text {
        "aligned" => Ok(Spread::Aligned),
        "staggered" => Ok(Spread::Staggered),
        "uniform" => Ok(Spread::Uniform),
        _ => Err("use aligned, staggered or uniform".to_owned()),
    }
}
