//! Serves the bot until SIGTERM or Ctrl-C.

use std::{env, process::ExitCode, time::Duration};

use bot::{dedup, router, serve, settings::Settings, settings::https};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::{
    net::TcpListener, select, signal::ctrl_c, signal::unix::SignalKind, signal::unix::signal,
    time::sleep,
};
use tower::BoxError;
use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt::format::FmtSpan};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    let settings = Settings::read(|name| env::var(name).ok(), https())?;

    // A line for each delivery and each run. `RUST_LOG=tower_wechat=debug` shows why a request is rejected.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = filter
        .from_env()
        .map_err(|error| format!("RUST_LOG: {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::CLOSE)
        .init();

    // The exporter first: what begins at zero before it is not counted.
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(seconds, &BUCKETS)?
        .install_recorder()?;
    tower_wechat::metrics::describe();
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        // Otherwise what nobody scrapes would pile up.
        loop {
            sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });

    let dedup = dedup(&settings).await?;
    let router = router(&settings, dedup.clone(), metrics);
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| format!("LISTEN: cannot listen on {}: {error}", settings.listen))?;
    tracing::info!("listening on http://{}/wechat", listener.local_addr()?);

    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        select! { _ = terminate.recv() => (), _ = ctrl_c() => () }
        tracing::info!("draining");
    };
    Ok(serve(listener, router, dedup, stop).await?)
}

/// In seconds. WeChat hangs up at 5 and, for the last time, at 15. A run ends at 60.
const BUCKETS: [f64; 11] = [0.005, 0.02, 0.1, 0.5, 1., 2., 4.5, 5., 10., 15., 60.];
