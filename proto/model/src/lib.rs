//! The words of Parallax: **Check → Round → Assignment → Attempt (facts) → Outcome → Verdict**, plus **Profile**.
//!
//! Every type here is valid by construction, does no I/O and knows nothing of the wire or of SQL. Read from the leaves up:
//!
//! | module | word |
//! |---|---|
//! | [`id`], [`clock`], [`bytes`] | names of things, instants, byte strings |
//! | [`target`], [`resolver`], [`profile`], [`selector`], [`cadence`] | what an operator types |
//! | [`check`], [`vantage`], [`assignment`] | what is watched, from where, and one vantage's share of a round |
//! | [`facts`], [`attempt`], [`echo`] | what an agent saw |
//! | [`outcome`] | what one attempt means, from its facts alone |
//! | [`verdict`], [`report`], [`catalogue`] | what a round means, what an audited server can do, and the page of every cause |
//! | [`digest`], [`incident`] | what a round saw in short, and what happened over many |
//! | [`lexicon`] | what a pasted error line says |
//!
//! ```
//! use parallax_model::target::Target;
//! let target: Target = "api.example.test:8443@192.0.2.7".parse()?;
//! assert_eq!(target.port, 8443);
//! # Ok::<(), parallax_model::target::TargetError>(())
//! ```

pub mod assignment;
pub mod attempt;
pub mod bytes;
pub mod cadence;
pub mod catalogue;
pub mod check;
pub mod clock;
pub mod digest;
pub mod echo;
pub mod facts;
pub mod id;
pub mod incident;
pub mod lexicon;
pub mod outcome;
pub mod profile;
pub mod proof;
pub mod report;
pub mod resolver;
pub mod selector;
pub mod target;
pub mod vantage;
pub mod verdict;
