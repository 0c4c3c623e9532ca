//! `parallax doctor` and `parallax version`: is everything there that a probe needs?

use parallax_proto::v1::{GetStatusRequest, GetStatusResponse};

use crate::{
    args::Global,
    client, config,
    exit::{DONE, ERROR, Failure},
    render,
};

/// Runs `parallax doctor`: stops at the first thing that is missing and says what to do.
pub(super) async fn run(global: &Global) -> Result<u8, Failure> {
    let effective = config::effective(global)?;
    let fine = |text: String| render::answer(&format!("fine     {text}"));
    let missing = |text: &str| render::answer(&format!("MISSING  {text}"));
    fine(format!("context from {}", effective.sources[0]));
    let status = status(&effective.context).await?;
    fine(format!("coordinator {} answers, version {}", effective.context.coordinator, status.version));
    let skew_ms = super::now().as_micros().saturating_sub(status.now_us) / 1_000;
    fine(format!("this clock and the coordinator's are within {} ms", skew_ms.abs()));
    if status.vantages_online == 0 {
        missing("no vantage is online: 'parallax vantage token create' prints the line that starts an agent");
        return Ok(ERROR);
    }
    fine(format!("{} of {} vantages are online", status.vantages_online, status.vantages));
    if status.responders.is_empty() {
        missing("no control responder: without one a vantage cannot prove that it is fine itself (coordinator --responder, or agent --responder)");
        return Ok(ERROR);
    }
    fine(format!("{} control responder{}", status.responders.len(), if status.responders.len() == 1 { "" } else { "s" }));
    Ok(DONE)
}

/// Runs `parallax version`; without a coordinator it prints its own version alone.
pub(super) async fn version(global: &Global) -> Result<u8, Failure> {
    render::answer(&format!("parallax {}", env!("CARGO_PKG_VERSION")));
    if let Ok(effective) = config::effective(global)
        && let Ok(status) = status(&effective.context).await
    {
        render::answer(&format!("coordinator {} ({})", status.version, effective.context.coordinator));
    }
    Ok(DONE)
}

async fn status(context: &config::Context) -> Result<GetStatusResponse, Failure> {
    Ok(client::connect(context).await?.get_status(GetStatusRequest {}).await?.into_inner())
}
