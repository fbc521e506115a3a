//! A TCP echo server and its clients in this process, for 3 seconds.

use crate::util::{micros_since, percentiles};
use crate::{fail, Options, Outcome};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MESSAGE: usize = 64;

pub fn echo(options: &Options) -> Outcome {
    let connections = options.connections;
    let duration = Duration::from_secs_f64(3.0 * options.scale);
    let result = options.run(async move { clients(connections, duration).await });
    let (elapsed, latencies) = result.unwrap_or_else(|e| fail(&e.to_string()));
    let requests = latencies.len() as f64;
    let [p50, p99] = percentiles(latencies, [0.5, 0.99]);
    let extra = vec![("connections", connections as f64), ("p50_us", p50), ("p99_us", p99)];
    Outcome { metric: "requests_per_s", value: requests / elapsed.as_secs_f64(), extra }
}

async fn clients(
    connections: usize,
    duration: Duration,
) -> std::io::Result<(Duration, Vec<f64>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let mut streams = vec![];
    for _ in 0..connections {
        streams.push(TcpStream::connect(address).await?);
    }
    let start = Instant::now();
    let tasks: Vec<_> =
        streams.into_iter().map(|s| tokio::spawn(request(s, start + duration))).collect();
    let mut all = vec![];
    for task in tasks {
        all.extend(task.await??);
    }
    Ok((start.elapsed(), all))
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; MESSAGE];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

/// Sends one message after another until `end`; each one's round trip in us.
async fn request(mut stream: TcpStream, end: Instant) -> std::io::Result<Vec<f64>> {
    stream.set_nodelay(true)?;
    let mut latencies = vec![];
    let (mut out, mut back) = ([0; MESSAGE], [0; MESSAGE]);
    for seq in 1u64.. {
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        out[..8].copy_from_slice(&seq.to_le_bytes());
        out[MESSAGE - 8..].copy_from_slice(&(!seq).to_le_bytes());
        stream.write_all(&out).await?;
        stream.read_exact(&mut back).await?;
        if back != out {
            fail(&format!("message {} came back changed", seq));
        }
        latencies.push(micros_since(sent));
    }
    Ok(latencies)
}
