//! A TCP proxy of this process that misbehaves on command: cuts what is open, stalls, takes connections and
//! drops them as a load balancer without a backend does, ends answers after so many bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// They wait, in both directions, and nobody is told. New connections are taken.
    Stall,
    /// Connections are taken and dropped.
    Drop,
    /// Each connection is cut when the server has answered so many bytes on it.
    CutAnswersAfter(usize),
}

#[derive(Debug, Clone, Copy)]
struct Orders {
    mode: Mode,
    /// How often everything was cut.
    cuts: usize,
}

/// A proxy in front of one server. Ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    taken: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Starts in front of `server`, `HOST:PORT`.
    pub async fn start(server: &str) -> Self {
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (orders, receiver) = watch::channel(Orders { mode: Mode::Pass, cuts: 0 });
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(client, server.clone(), receiver.clone()));
            }
        });
        Self { address, orders, taken, listening }
    }

    /// Where it listens, `HOST:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Changes what happens to bytes, of open connections too.
    pub fn set(&self, mode: Mode) {
        self.orders.send_modify(|orders| orders.mode = mode);
    }

    /// Cuts every open connection.
    pub fn cut(&self) {
        self.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Connections that were taken so far.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Carries one connection until either side or an order ends it.
async fn carry(client: TcpStream, server: String, orders: watch::Receiver<Orders>) {
    if orders.borrow().mode == Mode::Drop {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        // A cut comes before what a stall held back: bytes on their way are lost with it.
        biased;
        () = ended(orders.clone()) => {}
        () = pump(from_client, to_server, orders.clone(), false) => {}
        () = pump(from_server, to_client, orders, true) => {}
    }
}

/// Waits for an order that ends what is open.
async fn ended(mut orders: watch::Receiver<Orders>) {
    let cuts = orders.borrow().cuts;
    // An error means that the proxy itself is gone.
    let _gone = orders.wait_for(|orders| orders.cuts != cuts || orders.mode == Mode::Drop).await;
}

/// Carries bytes one way; `answers` is the way from the server.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut orders: watch::Receiver<Orders>,
    answers: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut carried = 0;
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return };
        let Ok(now) = orders.wait_for(|orders| orders.mode != Mode::Stall).await.map(|orders| orders.mode)
        else {
            return;
        };
        let allowed = match now {
            Mode::CutAnswersAfter(bytes) if answers => read.min(bytes.saturating_sub(carried)),
            _ => read,
        };
        carried += allowed;
        if read == 0 || to.write_all(&buffer[..allowed]).await.is_err() || allowed < read {
            return;
        }
    }
}
