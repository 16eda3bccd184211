//! A voice bot on actix-web, which takes no Tower services. SIGTERM ends it without losing a message.

use std::{convert::Infallible, io, net::TcpListener, time::Duration};

use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Result, dev::Server, web};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::signal::unix::{SignalKind, signal};
use tower::{BoxError, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_wechat::message::VoiceMessage;
use tower_wechat::{Account, DedupLayer, ResponseBody, VerifySignatureLayer, message_fn};

/// The whole stack, as a type with a name.
pub(crate) type WeChat =
    BoxCloneSyncService<Request<Full<Bytes>>, Response<ResponseBody>, Infallible>;

async fn answer(voice: VoiceMessage) -> String {
    voice.recognition.unwrap_or("我没听清，请打字".to_owned())
}

pub(crate) fn stack(account: Account, dedup: DedupLayer) -> WeChat {
    let stack = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(dedup)
        .service(message_fn(answer));
    BoxCloneSyncService::new(stack)
}

/// Translates between actix-web's types and those of Tower's servers.
async fn wechat(stack: web::Data<WeChat>, from: HttpRequest, body: Bytes) -> Result<HttpResponse> {
    let request = Request::builder()
        .method(from.method().as_str())
        .uri(from.uri().to_string())
        .body(Full::new(body))
        .map_err(ErrorBadRequest)?;
    let Ok(response) = stack.get_ref().clone().oneshot(request).await;
    let status = response.status().as_u16().try_into();
    let mut answer = HttpResponse::build(status.map_err(ErrorInternalServerError)?);
    for (name, value) in response.headers() {
        answer.insert_header((name.as_str(), value.as_bytes()));
    }
    Ok(answer.body(response.body().to_bytes()))
}

/// Accepts retries until the drain is over, then gives the open connections a second.
pub(crate) fn serve(listener: TcpListener, stack: WeChat, dedup: DedupLayer) -> io::Result<Server> {
    let mut terminate = signal(SignalKind::terminate())?;
    let drained = async move {
        terminate.recv().await;
        dedup.drain(Duration::from_secs(20)).await;
    };
    let stack = web::Data::new(stack);
    let app = move || {
        let stack = stack.clone();
        App::new().app_data(stack).route("/wechat", web::to(wechat))
    };
    let server = HttpServer::new(app).shutdown_signal(drained);
    Ok(server.shutdown_timeout(1).listen(listener)?.run())
}

#[actix_web::main]
async fn main() -> Result<(), BoxError> {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key)?;
    let listener = TcpListener::bind("127.0.0.1:8080")
        .map_err(|error| format!("cannot listen on 127.0.0.1:8080: {error}"))?;
    let dedup = DedupLayer::in_memory();
    Ok(serve(listener, stack(account, dedup.clone()), dedup)?.await?)
}
