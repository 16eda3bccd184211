//! Clients that go away, as HTTP/1.1 and HTTP/2 servers see it: a cut connection, a reset stream.

use http_body_util::Empty;
use hyper::{client::conn, server};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::io::duplex;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Version {
    Http1,
    Http2,
}

/// Sends a request over a connection of its own. Aborting the task is a client that goes away.
fn request(
    version: Version,
    stack: &impl Delivers,
) -> JoinHandle<Result<(StatusCode, Bytes), hyper::Error>> {
    let (client, server) = duplex(64 * 1024);
    // This server has authenticated the request in another way.
    let stack = stack.clone();
    let service = TowerToHyperService::new(service_fn(move |_: Request<hyper::body::Incoming>| {
        let stack = stack.clone();
        async move {
            let request = Request::new(assume(text("user", "1", "hi")));
            Ok::<_, Infallible>(stack.send(request).await.map(Full::new))
        }
    }));
    tokio::spawn(async move {
        let io = TokioIo::new(server);
        match version {
            Version::Http1 => drop(
                server::conn::http1::Builder::new()
                    .serve_connection(io, service)
                    .await,
            ),
            Version::Http2 => drop(
                server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(io, service)
                    .await,
            ),
        }
    });
    tokio::spawn(async move {
        let io = TokioIo::new(client);
        let request = Request::post("http://localhost/")
            .body(Empty::<Bytes>::new())
            .unwrap();
        // The connection's task goes with this one.
        let mut connection = tokio::task::JoinSet::new();
        let response = match version {
            Version::Http1 => {
                let (mut sender, driver) = conn::http1::handshake(io).await?;
                connection.spawn(async { drop(driver.await) });
                sender.send_request(request).await?
            }
            Version::Http2 => {
                let (mut sender, driver) = conn::http2::handshake(TokioExecutor::new(), io).await?;
                // It outlives the request: only the stream is dropped.
                tokio::spawn(driver);
                sender.send_request(request).await?
            }
        };
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    })
}

#[tokio::test(start_paused = true)]
async fn whenever_a_client_goes_away_its_retry_gets_the_reply() {
    for version in [Version::Http1, Version::Http2] {
        for when in ["before the run", "during the run", "after the run"] {
            let layer = one_run_at_a_time();
            let (stack, mut runs) = stack(&layer);
            // Another message holds the only permit, so the first delivery waits before its run.
            let held = match when {
                "before the run" => {
                    let _held = stack.deliver(&text("user", "2", "hi")).await;
                    Some(runs.next().await.1)
                }
                _ => None,
            };
            let first = request(version, &stack);
            settle().await;
            if let Some(verdict) = held {
                // It went away before there was room, so nothing runs for it. Its retry runs.
                first.abort();
                settle().await;
                verdict.send(Ok(ok("success"))).unwrap();
                settle().await;
                runs.check_none();
                let retry = request(version, &stack);
                settle().await;
                runs.next().await.1.send(Ok(ok("reply"))).unwrap();
                check(&retry.await.unwrap().unwrap(), 200, "reply");
                continue;
            }
            let (_, verdict) = runs.next().await;
            if when == "during the run" {
                first.abort();
                settle().await;
                assert!(!verdict.is_closed(), "{version:?} {when}: the run goes on");
                verdict.send(Ok(ok("reply"))).unwrap();
            } else {
                verdict.send(Ok(ok("reply"))).unwrap();
                settle().await;
                first.abort();
            }
            settle().await;
            let retry = request(version, &stack);
            check(&retry.await.unwrap().unwrap(), 200, "reply");
            runs.check_none();
        }
    }
}
