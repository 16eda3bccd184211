//! The network between a node and its Redis: a TCP proxy that can be slow or broken.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// A proxy on a free port, in front of a port of this machine. Dropping it ends it.
pub(crate) struct Proxy {
    port: u16,
    weather: watch::Sender<Weather>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Bytes go through.
    Fair,
    /// They go through after this delay.
    Slow(Duration),
    /// They are held back until the weather changes. No side is told.
    Held,
    /// Half of the server's next answer goes through, then the connection is cut.
    Torn,
    /// Every connection is cut, and each new one at once.
    Cut,
}

impl Proxy {
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (weather, forecast) = watch::channel(Weather::Fair);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, server, forecast.clone()));
            }
        });
        Self {
            port,
            weather,
            accepting,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn change(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.change(Weather::Cut);
    }
}

async fn forward(client: TcpStream, server: u16, weather: watch::Receiver<Weather>) {
    if *weather.borrow() == Weather::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = weather.clone();
    tokio::select! {
        () = pump(from_client, to_server, weather.clone(), |_| false) => {}
        () = pump(from_server, to_client, weather, |weather| weather == Weather::Torn) => {}
        _ = cut.wait_for(|weather| *weather == Weather::Cut) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    tears: fn(Weather) -> bool,
) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let now = *weather.borrow();
        if let Weather::Slow(by) = now {
            sleep(by).await;
        }
        let lifted = weather.wait_for(|weather| *weather != Weather::Held);
        let Ok(now) = lifted.await.map(|weather| *weather) else {
            return;
        };
        if tears(now) {
            let _ = to.write_all(&buffer[..read / 2]).await;
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
