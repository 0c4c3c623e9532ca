//! The catalogue of misconfigurations: each is made with a real server, found by the fleet, and cured by what the product's own page says.
//!
//! A file of `catalogue/` is one [`Row`]; [`run_all`] asks one fleet about every row, twice: as it is broken, and once its cure is applied.

mod certificates;
mod report;
mod row;
mod run;
mod servers;

pub use super::serve::Kind;
pub use certificates::Certificate;
pub(super) use certificates::{authorities, script};
pub use report::{line, summary};
pub use row::{Cure, Row, Server};
pub use run::{RowReport, has_failed, run_all};
