//! The web page, the metrics and the health of the coordinator, over plain HTTP on a port of its own.

mod page;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tracing::error;

use crate::app::App;

/// Serves until the coordinator stops.
pub(crate) async fn serve(app: Arc<App>, listener: TcpListener) {
    let stopping = app.stopping.clone();
    let router = Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(app);
    if let Err(failure) = axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned()).await {
        error!(error = &failure as &dyn std::error::Error, "the web page is gone");
    }
}

async fn index(State(app): State<Arc<App>>) -> Response {
    match page::render(&app).await {
        Ok(html) => {
            ([(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], Html(html))
                .into_response()
        }
        Err(failure) => (StatusCode::SERVICE_UNAVAILABLE, format!("{failure}\n")).into_response(),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let text = app.counters.exposition(app.fleet.len(), app.rounds.under_way(), app.incidents.open().iter().filter(|incident| !incident.informational).count());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the coordinator stops\n").into_response();
    }
    match app.store.health().await {
        Ok(()) => "ready\n".into_response(),
        Err(failure) => (StatusCode::SERVICE_UNAVAILABLE, format!("{failure}\n")).into_response(),
    }
}
