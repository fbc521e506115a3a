//! Measuring, and the work that rows do between two scheduling operations.

use crate::Outcome;
use std::arch::asm;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

pub fn per_op(elapsed: Duration, ops: u64) -> Outcome {
    let value = elapsed.as_nanos() as f64 / ops as f64;
    Outcome { metric: "ns_per_op", value, extra: vec![] }
}

pub fn millis(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}

pub fn micros_since(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64 / 1e3
}

pub fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// The quantiles `ps` of `values` by nearest rank.
pub fn percentiles<const N: usize>(mut values: Vec<f64>, ps: [f64; N]) -> [f64; N] {
    values.sort_by(f64::total_cmp);
    ps.map(|p| values[((p * values.len() as f64).ceil() as usize).saturating_sub(1)])
}

/// The process's largest resident size (not ru_maxrss, which a child inherits
/// from whoever started it).
pub fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("");
    let kilobytes = line.split_whitespace().nth(1).unwrap_or("0");
    kilobytes.parse::<f64>().unwrap_or(0.0) / 1024.0
}

pub fn resident_bytes() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).unwrap_or("0");
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64;
    pages.parse::<f64>().unwrap_or(0.0) * page_size
}

pub fn cpu_seconds() -> f64 {
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// `n` steps of Knuth's linear congruential generator. The empty asm keeps the
/// compiler from folding several steps into one.
pub fn lcg(mut x: u64, n: u64) -> u64 {
    for _ in 0..n {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        unsafe { asm!("/* {0} */", inout(reg) x, options(nomem, nostack, preserves_flags)) };
    }
    x
}

/// splitmix64; every peer draws the same numbers.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1].
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

/// The n-th prime, computed plainly; the 2,000th is 17389.
pub fn nth_prime(n: u64) -> u64 {
    let is_prime = |p: &u64| (2..).take_while(|d| d * d <= *p).all(|d| p % d != 0);
    (2..).filter(is_prime).nth(n as usize - 1).unwrap()
}

/// fib(n), computed plainly; a fib row spawns fibonacci(n + 1) - 1 tasks.
pub fn fibonacci(n: u64) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

/// Waits for a number of tasks whose handles were dropped.
pub struct WaitGroup {
    left: AtomicUsize,
    finished: Notify,
}

impl WaitGroup {
    pub fn new(count: usize) -> Self {
        WaitGroup { left: AtomicUsize::new(count), finished: Notify::new() }
    }

    pub fn done(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.finished.notify_one();
        }
    }

    pub async fn wait(&self) {
        self.finished.notified().await;
    }
}
