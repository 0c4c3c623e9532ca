//! What the lab needs from the distribution; a missing piece is an error that names its package, never a skipped test.

use std::path::{Path, PathBuf};

use super::{error::LabError, scenario::Scenario};

const TOOLS: [(&str, &str); 12] = [
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("mount", "mount"),
    ("sh", "dash"),
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("nft", "nftables"),
    ("iptables", "iptables"),
    ("ip6tables", "iptables"),
    ("nginx", "nginx"),
    ("dnsmasq", "dnsmasq-base"),
];

/// The word that an environment value of a scenario uses for the path of libfaketime.
pub(super) const FAKETIME: &str = "libfaketime";

/// Checks that everything that a scenario needs is there.
pub(super) fn check(scenario: &Scenario) -> Result<(), LabError> {
    for (program, package) in TOOLS {
        installed(program, package)?;
    }
    scenario.servers.iter().try_for_each(|server| server.kind.check())?;
    if scenario.environment.values().flat_map(|variables| variables.values()).any(|value| value == FAKETIME) {
        faketime()?;
    }
    Ok(())
}

/// Checks that a program is there, or names the package that brings it.
pub(super) fn installed(program: &str, package: &'static str) -> Result<(), LabError> {
    find(program).map(drop).ok_or_else(|| LabError::Missing { program: program.to_owned(), package })
}

/// Returns the path of the library that shifts the clock of a single program.
pub(super) fn faketime() -> Result<PathBuf, LabError> {
    let folders = ["x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf", "riscv64-linux-gnu", ""];
    let library = |folder: &&str| Some(Path::new("/usr/lib").join(folder).join("faketime/libfaketime.so.1")).filter(|path| path.exists());
    folders.iter().find_map(library).ok_or_else(|| LabError::Missing { program: FAKETIME.to_owned(), package: "libfaketime" })
}

fn find(program: &str) -> Option<PathBuf> {
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}
