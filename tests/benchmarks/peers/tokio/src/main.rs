//! Peer "tokio": the rows of gyre's comparison table that Tokio can do, as a
//! Rust programmer would write them. Tokio preempts nothing, so `hogs` is
//! missing. It has no unbuffered channel: those rows use mpsc with room for
//! one.

mod echo;
mod rows;
mod service;
mod util;

use std::future::Future;
use std::process::exit;
use tokio::runtime::{Builder, Runtime};
use util::{peak_mb, round};

type Extra = Vec<(&'static str, f64)>;

/// What a row measured; `main` adds who measured it.
pub struct Outcome {
    pub metric: &'static str,
    pub value: f64,
    pub extra: Extra,
}

#[derive(Clone)]
pub struct Options {
    row: String,
    threads: usize,
    scale: f64,
    connections: usize,
    dist: String,
    load: f64,
    flavor: String,
}

impl Options {
    /// `n` shrunk by --scale, at least 1.
    pub fn scaled(&self, n: u64) -> u64 {
        ((n as f64 * self.scale).round() as u64).max(1)
    }

    /// With --flavor=auto a single thread runs the flavor that does the row
    /// better: the current-thread one, except for fork and join, where its
    /// first-in first-out queue keeps far more tasks alive.
    fn runtime(&self) -> Runtime {
        let fork_join = self.row == "fib" || self.row == "skynet";
        let mut builder = match (self.flavor.as_str(), self.threads) {
            ("auto", 1) if !fork_join => Builder::new_current_thread(),
            ("current", 1) => Builder::new_current_thread(),
            ("auto" | "multi", _) => Builder::new_multi_thread(),
            _ => usage("--flavor must be auto, multi, or current with one thread"),
        };
        builder.worker_threads(self.threads).enable_all().build().expect("a runtime")
    }

    /// Runs `body` as a task, so that it is on a worker thread like the rest.
    pub fn run<T: Send + 'static>(&self, body: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = self.runtime();
        let out = runtime.block_on(async { tokio::spawn(body).await.expect("the row ran") });
        runtime.shutdown_background();
        out
    }
}

const ROWS: [(&str, fn(&Options) -> Outcome); 15] = [
    ("yield", rows::yields),
    ("spawn_join", rows::spawn_join),
    ("chan_unbuffered", rows::chan_unbuffered),
    ("chan_buffered", rows::chan_buffered),
    ("chan_mpmc", rows::chan_mpmc),
    ("mutex_alone", rows::mutex_alone),
    ("mutex_contended", rows::mutex_contended),
    ("select", rows::select),
    ("skynet", rows::skynet),
    ("parked", rows::parked),
    ("timers", rows::timers),
    ("sieve", rows::sieve),
    ("fib", rows::fib),
    ("echo", echo::echo),
    ("service", service::service),
];

fn main() {
    let mut options = Options {
        row: String::new(),
        threads: 1,
        scale: 1.0,
        connections: 64,
        dist: "issue8".to_string(),
        load: 0.6,
        flavor: "auto".to_string(),
    };
    for arg in std::env::args().skip(1) {
        let (key, value) = arg.split_once('=').unwrap_or((&arg, ""));
        let bad = || -> ! { usage(&format!("bad argument {}", arg)) };
        match key {
            "--list" => {
                ROWS.iter().for_each(|(name, _)| println!("{}", name));
                return;
            }
            "--row" => options.row = value.to_string(),
            "--threads" => options.threads = value.parse().unwrap_or_else(|_| bad()),
            "--scale" => options.scale = value.parse().unwrap_or_else(|_| bad()),
            "--connections" => options.connections = value.parse().unwrap_or_else(|_| bad()),
            "--dist" => options.dist = value.to_string(),
            "--load" => options.load = value.parse().unwrap_or_else(|_| bad()),
            "--flavor" => options.flavor = value.to_string(),
            _ => bad(),
        }
    }
    let positive = options.scale > 0.0 && options.load > 0.0;
    if options.threads < 1 || options.connections < 1 || !positive {
        usage("--threads, --scale, --load and --connections must be positive");
    }
    let named = |row: &&(&str, fn(&Options) -> Outcome)| row.0 == options.row;
    match ROWS.iter().find(named) {
        Some((_, run)) => report(&options, run(&options)),
        None => {
            let names: Vec<&str> = ROWS.iter().map(|row| row.0).collect();
            usage(&format!("no row {:?}; the rows are {}", options.row, names.join(", ")));
        }
    }
}

fn report(options: &Options, mut outcome: Outcome) {
    outcome.extra.push(("peak_mb", peak_mb()));
    let pair = |(key, value): &(&str, f64)| format!("\"{}\":{}", key, round(*value));
    let extra: Vec<String> = outcome.extra.iter().map(pair).collect();
    println!(
        "{{\"peer\":\"tokio\",\"version\":\"{}\",\"row\":\"{}\",\"threads\":{},\
         \"metric\":\"{}\",\"value\":{},\"extra\":{{{}}}}}",
        tokio_version(),
        options.row,
        options.threads,
        outcome.metric,
        round(outcome.value),
        extra.join(",")
    );
}

/// The version that cargo resolved when it built this.
fn tokio_version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let entry = lock.split("name = \"tokio\"").nth(1).unwrap_or("");
    entry.split('"').nth(1).unwrap_or("?")
}

pub fn usage(message: &str) -> ! {
    eprintln!("peer tokio: {}", message);
    exit(2)
}

pub fn fail(message: &str) -> ! {
    eprintln!("peer tokio: {}", message);
    exit(1)
}

pub fn check(what: &str, got: u64, want: u64) {
    if got != want {
        fail(&format!("{} is {}, not {}", what, got, want));
    }
}
