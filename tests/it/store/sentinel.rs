use std::time::Duration;

use redis::{
    Cmd, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, ConnectionManager},
    sentinel::Sentinel,
};
use tokio::{sync::watch, time::sleep};

/// A connection to the server that the sentinels call the master.
#[derive(Clone)]
pub struct Master(watch::Receiver<ConnectionManager>);

impl Master {
    /// Connects to the master of the group `name`, and asks once a second whether it is another one.
    pub async fn follow(mut sentinels: Sentinel, name: &'static str) -> RedisResult<Self> {
        let mut client = sentinels.async_master_for(name, None).await?;
        let connection = ConnectionManager::new(client.clone()).await?;
        let (sender, receiver) = watch::channel(connection);
        tokio::spawn(async move {
            while !sender.is_closed() {
                sleep(Duration::from_secs(1)).await;
                let Ok(master) = sentinels.async_master_for(name, None).await else {
                    continue;
                };
                if master.get_connection_info().addr() != client.get_connection_info().addr()
                    && let Ok(connection) = ConnectionManager::new(master.clone()).await
                {
                    client = master;
                    sender.send_replace(connection);
                }
            }
        });
        Ok(Self(receiver))
    }
}

impl ConnectionLike for Master {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let mut connection = self.0.borrow().clone();
        Box::pin(async move { connection.req_packed_command(command).await })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let mut connection = self.0.borrow().clone();
        Box::pin(async move {
            connection
                .req_packed_commands(commands, offset, count)
                .await
        })
    }

    fn get_db(&self) -> i64 {
        self.0.borrow().get_db()
    }
}
