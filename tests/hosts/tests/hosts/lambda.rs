//! Over Lambda's event type: no socket is there.

use std::convert::Infallible;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hosts::{Runs, account, check, check_example, stack};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use lambda_http::IntoResponse;
use serde_json::json;
use tower::{Service, ServiceExt, service_fn};
use tower_wechat::{
    DedupLayer, ResponseBody,
    dedup::store::MemoryStore,
    simulator::{RequestBody, Simulator},
};

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/lambda.rs"]
mod example;

/// A function URL in front of `function`: requests become events of API Gateway, answers what it makes of them.
fn gateway<S>(
    function: S,
) -> impl Service<Request<RequestBody>, Response = Response<Full<Bytes>>, Error = Infallible>
where
    S: Service<lambda_http::Request, Response = Response<ResponseBody>, Error = Infallible> + Clone,
{
    service_fn(move |request: Request<RequestBody>| {
        let function = function.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let event = json!({
                "version": "2.0",
                "routeKey": "$default",
                "rawPath": head.uri.path(),
                "rawQueryString": head.uri.query(),
                "headers": {"host": "example.lambda-url.us-east-1.on.aws", "content-type": "text/xml"},
                "requestContext": {
                    "accountId": "anonymous",
                    "apiId": "example",
                    "http": {
                        "method": head.method.as_str(),
                        "path": head.uri.path(),
                        "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.1",
                        "userAgent": "Mozilla/4.0",
                    },
                    "stage": "$default",
                    "timeEpoch": 0,
                },
                "body": BASE64_STANDARD.encode(&body),
                "isBase64Encoded": true,
            });
            let request = lambda_http::request::from_str(&event.to_string()).unwrap();
            let response = function.oneshot(request).await?.into_response().await;
            Ok(response.map(|body| Full::new(Bytes::copy_from_slice(&body))))
        }
    })
}

#[tokio::test]
async fn the_stack_with_inline_runs() {
    let runs = Runs::default();
    let dedup = DedupLayer::builder()
        .with_store(MemoryStore::new())
        .with_inline_runs();
    let stack = stack(&runs, dedup.build());
    check(&Simulator::new(account()), gateway(stack), &runs).await;
}

#[tokio::test]
async fn the_example() {
    let function = example::function(account(), MemoryStore::new());
    check_example(&Simulator::new(account()), gateway(function)).await;
}
