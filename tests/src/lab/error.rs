//! What can go wrong while a lab is built or used, each in one sentence that says what to do.

use std::io;

/// A failure of the lab itself, never of the programs that it judges.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A program that the lab needs is not installed.
    #[error("{program} is not installed; the lab needs it: apt-get install {package}")]
    Missing {
        /// The program's name, or the library's.
        program: String,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// One of the three programs under test was not found.
    #[error("{path} does not exist; build it first (cargo build --release), or say where it is with --bin-dir")]
    NotBuilt {
        /// Where it was looked for.
        path: String,
    },
    /// The namespaces could not be made.
    #[error(
        "no namespaces for the lab ({reason}); run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
    )]
    Sandbox {
        /// What the system said.
        reason: String,
    },
    /// A program could not be started.
    #[error("{program} could not be started")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A setup script failed inside a namespace.
    #[error("setting up {node} failed: {stderr}")]
    Script {
        /// The namespace.
        node: String,
        /// What the failing command printed.
        stderr: String,
    },
    /// A file of the lab could not be read or written.
    #[error("{path} could not be read or written")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A signal could not be sent.
    #[error("a signal could not be sent")]
    Signal {
        /// Why.
        source: nix::Error,
    },
    /// A certificate could not be made.
    #[error("certificate {id} could not be made")]
    Certificate {
        /// Its name in the scenario.
        id: String,
        /// Why.
        source: rcgen::Error,
    },
    /// A scenario names something that does not exist.
    #[error("scenario {id}: {reason}")]
    Scenario {
        /// The scenario.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A scenario file does not parse.
    #[error("scenario {id} does not parse")]
    Parse {
        /// The scenario.
        id: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A daemon of the lab ended or did not become ready in time.
    #[error("{program} did not become ready (waited for at most {seconds} s): {log}")]
    NotReady {
        /// The program.
        program: String,
        /// How long it was waited for.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
}
