//! The HTTP API.
use carrack_shared::port::Ports;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// s
pub struct Settings { 
/// b
pub upload_limit_bytes: u64 }
/// s
pub async fn serve(_listener: TcpListener, _ports: Ports, _settings: Settings, _shutdown: CancellationToken) -> std::io::Result<()> { Ok(()) }
