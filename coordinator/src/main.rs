//! The program `parallax-coordinator`.

fn main() -> std::process::ExitCode {
    parallax_coordinator::run()
}
