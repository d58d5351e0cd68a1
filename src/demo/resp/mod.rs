//! A server that speaks the protocol of Redis, for machines that have none: as many
//! commands as the demo and the console use, held against the original by a test.
//!
//! It can be made to hang (connections stay open and nothing is answered) and to stop
//! (connections are closed and new ones refused), which is how an outage looks from outside.

mod codec;
mod commands;
mod database;
#[cfg(test)]
mod differential;
mod info;
mod keyspace;
mod server_commands;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use codec::Reply;
use database::{Database, Session};

use super::chance;

/// Input that is not a whole command yet, at most.
const MOST_PENDING: usize = 16 << 20;
/// How often keys whose time is over are looked for.
const SWEEP_EVERY: Duration = Duration::from_millis(500);

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Server {
    hung: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Serves on a listening socket, starting with no data.
    pub(super) fn start(listener: TcpListener, password: Option<String>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let run_id = chance::unguessable(40)?;
        let database = Arc::new(Mutex::new(Database::new(password, address.port(), run_id)));
        let (hung, watched) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(sweep(Arc::clone(&database)));
        tasks.spawn(accept(listener, database, watched));
        Ok(Self { hung, tasks })
    }

    /// Stops answering, or goes on. Connections stay open.
    pub(super) fn hang(&self, hung: bool) {
        self.hung.send_replace(hung);
    }

    /// Closes every connection and refuses new ones; returns when the port is free.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

fn lock(database: &Mutex<Database>) -> MutexGuard<'_, Database> {
    database.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wall clock in milliseconds since the epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

async fn sweep(database: Arc<Mutex<Database>>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        lock(&database).keys.sweep(now());
    }
}

async fn accept(
    listener: TcpListener,
    database: Arc<Mutex<Database>>,
    hung: watch::Receiver<bool>,
) {
    // The connections live in this task's set, so that they end with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(stream, peer, Arc::clone(&database), hung.clone()));
                }
                // Out of descriptors, most likely: try again, but not in a tight loop.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Takes the connection off the count however its task ends.
struct Connected(Arc<Mutex<Database>>);

impl Drop for Connected {
    fn drop(&mut self) {
        let mut database = lock(&self.0);
        database.clients = database.clients.saturating_sub(1);
    }
}

async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    database: Arc<Mutex<Database>>,
    mut hung: watch::Receiver<bool>,
) {
    let session = lock(&database).connect(peer.to_string());
    let Some(mut session) = session else {
        let _ = stream.write_all(b"-ERR max number of clients reached\r\n").await;
        return;
    };
    let _connected = Connected(Arc::clone(&database));
    let _ = stream.set_nodelay(true);
    let (mut input, mut output) = (Vec::with_capacity(4_096), Vec::new());
    loop {
        match stream.read_buf(&mut input).await {
            Ok(0) | Err(_) => return,
            Ok(_) if input.len() > MOST_PENDING => return,
            Ok(_) => {}
        }
        if hung.wait_for(|hung| !*hung).await.is_err() {
            return;
        }
        let open = answer(&database, &mut session, &mut input, &mut output);
        if stream.write_all(&output).await.is_err() || !open {
            return;
        }
        output.clear();
    }
}

/// Carries out every whole command of the input; false where the connection is to be closed.
fn answer(
    database: &Mutex<Database>,
    session: &mut Session,
    input: &mut Vec<u8>,
    output: &mut Vec<u8>,
) -> bool {
    let mut database = lock(database);
    let mut used = 0;
    let open = loop {
        match codec::request(&input[used..]) {
            Ok(None) => break true,
            Ok(Some((request, taken))) => {
                used += taken;
                if !request.is_empty() {
                    let reply = database.execute(session, &request, now());
                    reply.write(session.version, output);
                }
                if session.leaving {
                    break false;
                }
            }
            Err(broken) => {
                Reply::Error(format!("ERR Protocol error: {}", broken.0)).write(2, output);
                break false;
            }
        }
    };
    input.drain(..used);
    database.counters.bytes_in += used as u64;
    database.counters.bytes_out += output.len() as u64;
    open
}
