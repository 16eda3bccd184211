//! A voice bot on actix-web, which has no Tower services, by the pure functions. A retry runs it again.

use actix_web::error::{Error, ErrorBadRequest, ErrorForbidden};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpServer, Result, http::Method};
use std::time::{Duration, SystemTime};
use tower_wechat::{Account, Message, Reply, envelope, reply::Addressing, signature::Query, xml};

pub(crate) async fn wechat(by: Data<Account>, from: HttpRequest, body: Bytes) -> Result<String> {
    let query = Query::parse(from.query_string()).map_err(bad)?;
    let verified = query.verify(&by, SystemTime::now(), Duration::from_secs(300));
    verified.map_err(|_| ErrorForbidden(""))?;
    if from.method() == Method::GET {
        return Ok(query.echostr().map_err(bad)?.to_owned());
    }
    let opened = envelope::open(&by, &query, &body).map_err(bad)?;
    let reply = match xml::from_slice(opened.plaintext()) {
        Ok(Message::Voice(voice)) => Reply::text(voice.recognition.unwrap_or_default()),
        _ => Reply::success(),
    };
    let now = SystemTime::UNIX_EPOCH.elapsed().map_err(bad)?.as_secs();
    let to = Addressing::answering(opened.plaintext()).map_err(bad)?;
    let xml = reply.to_xml(&to, now).unwrap_or_default();
    opened.seal(xml.unwrap_or_default().as_bytes()).map_err(bad)
}

fn bad<E>(_the_client_learns_no_reason: E) -> Error {
    ErrorBadRequest("")
}

#[actix_web::main]
async fn main() -> Result<(), tower::BoxError> {
    let key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let by = Data::new(Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", key)?);
    let route = || web::resource("/wechat").to(wechat);
    let server = HttpServer::new(move || App::new().app_data(by.clone()).service(route()));
    let server = server.bind("127.0.0.1:8080");
    Ok(server.map_err(|error| error.to_string())?.run().await?)
}
