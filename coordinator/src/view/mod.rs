//! What is shown: the store's words and the live fleet put together.

use parallax_model::vantage::Vantage;
use parallax_proto::convert::ListedVantage;

use crate::app::App;

/// Puts what is kept of a vantage and what its session tells together.
pub(crate) fn listed(app: &App, mut vantage: Vantage) -> ListedVantage {
    let state = app.fleet.state(&vantage);
    let now = app.fleet.with(&vantage.name, |link| (link.last_heard, link.clock_offset_us, link.egress, link.version.clone(), link.capabilities.clone()));
    if let Some((last_heard, clock_offset_us, egress, version, capabilities)) = now {
        vantage.last_seen = Some(last_heard);
        vantage.clock_offset_ms = clock_offset_us.map(|micros| micros / 1_000).or(vantage.clock_offset_ms);
        vantage.egress = egress;
        vantage.version = version;
        vantage.capabilities = capabilities;
    }
    ListedVantage { vantage, state }
}
