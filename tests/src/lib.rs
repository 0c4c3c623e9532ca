//! Proof that the products say the right thing: the lab of network namespaces, and what runs in it.
//!
//! | part | what is in it |
//! |---|---|
//! | [`lab`] | topology, scenarios, faults, fleet, judgement |
//! | [`device`] | the lab's own userspace devices and its client |
//! | `scenarios/*.toml` | one file per scenario: the fault, what is seen on the wire, the verdict that is right |
//! | `catalogue/*.toml` | one file per misconfiguration: a real server that has it, the causes that are right, the cure that their pages name |
//! | `src/bin/lab.rs` | the lab by hand: `lab list`, `lab check`, `lab run`, `lab catalogue`, `lab up`, `lab exec`, `lab small` |
//!
//! A test starts a lab, and uses it, like this (it needs the products built and the packages of `lab-packages.txt`):
//!
//! ```no_run
//! use parallax_tests::lab::{Lab, Programs, Scenario};
//! let scenario = Scenario::parse("healthy", "title = 'nothing is wrong'\n[[probe]]\n")?;
//! let mut lab = Lab::start(&scenario, &Programs::in_folder("target/release".as_ref())?)?;
//! lab.start_fleet()?;
//! let verdict = lab.parallax(["probe", "www.example.test", "--trust", "/run/lab/pki/root.pem", "-o", "json"]).output()?;
//! if let Some(coordinator) = &mut lab.fleet.coordinator { coordinator.kill(); }
//! lab.start_coordinator()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod device;
pub mod lab;
