//! Not a Tower server: the pure functions in its handlers.

use actix_web::{App, HttpServer, web};
use hosts::{account, check_example, http1, wechat_at};

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/actix.rs"]
mod example;

#[actix_web::test]
async fn the_example() {
    let account = web::Data::new(account());
    let app = move || {
        App::new()
            .app_data(account.clone())
            .service(example::wechat)
    };
    let server = HttpServer::new(app).workers(1).bind("127.0.0.1:0").unwrap();
    let port = server.addrs()[0].port();
    actix_web::rt::spawn(server.run());
    check_example(&wechat_at(port), http1()).await;
}
