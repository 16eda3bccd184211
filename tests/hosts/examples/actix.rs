//! A voice bot on actix-web, which has no Tower services, by the pure functions. A retry runs it again.

use actix_web::error::{ErrorBadRequest, ErrorForbidden};
use actix_web::{App, HttpRequest, HttpServer, Result, http::Method, web::Bytes, web::Data};
use std::time::Duration;
use tower_wechat::{Account, Reply, Timestamp, callback, message, reply::Addressing};

#[actix_web::route("/wechat", method = "GET", method = "POST")]
pub(crate) async fn wechat(to: Data<Account>, from: HttpRequest, body: Bytes) -> Result<Bytes> {
    answer(&to, &from, body).map_err(|error| match error.kind() {
        callback::ErrorKind::Signature | callback::ErrorKind::Timestamp => ErrorForbidden(""),
        _ => ErrorBadRequest(""),
    })
}

fn answer(to: &Account, from: &HttpRequest, body: Bytes) -> Result<Bytes, callback::Error> {
    let query = callback::Query::parse(from.query_string())?;
    query.verify(to, Timestamp::now().into(), Duration::from_secs(300))?;
    if from.method() == Method::GET {
        return callback::echostr(to, &query);
    }
    let opened = callback::open(to, &query, body)?;
    let sealed = opened.seal(reply(opened.plaintext()).unwrap_or_default());
    Ok(sealed.map_or(Bytes::new(), callback::Answer::into_body))
}

fn reply(plaintext: &[u8]) -> Option<String> {
    let voice: message::VoiceMessage = message::from_slice(plaintext).ok()?;
    let to = Addressing::new(voice.from_user_name?, voice.to_user_name);
    let reply = Reply::text(voice.recognition?).render(&to, Timestamp::now());
    Some(reply.ok()?.into_body().into_owned())
}

#[actix_web::main]
async fn main() -> Result<(), tower::BoxError> {
    let key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Data::new(Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", key)?);
    let app = move || App::new().app_data(account.clone()).service(wechat);
    Ok(HttpServer::new(app).bind("127.0.0.1:8080")?.run().await?)
}
