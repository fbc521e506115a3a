//! An open-loop service: Poisson arrivals for 10 seconds, drawn beforehand, a
//! task each. A request's sojourn counts from its scheduled arrival, so a
//! generator that falls behind hides nothing.

use crate::util::{lcg, micros_since, percentiles, Random, WaitGroup};
use crate::{check, fail, usage, Options, Outcome};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{spawn, yield_now};

/// Times are in microseconds.
struct Request {
    at: f64,
    service: f64,
    sojourn: AtomicU64, // the bits of an f64
    answer: AtomicU64,
}

pub fn service(options: &Options) -> Outcome {
    let requests = Arc::new(schedule(options));
    let per_us = calibrate();
    let n = requests.len();
    let all = requests.clone();
    let late = options.run(async move {
        let group = Arc::new(WaitGroup::new(n));
        let mut late = 0; // by more than 10 us
        let start = Instant::now() + Duration::from_millis(1);
        for i in 0..n {
            let at = all[i].at;
            let mut now = micros_since(start);
            while now < at || Instant::now() < start {
                yield_now().await;
                now = micros_since(start);
            }
            if now > at + 10.0 {
                late += 1;
            }
            let (all, group) = (all.clone(), group.clone());
            spawn(async move {
                let request = &all[i];
                let answer = lcg(i as u64, (request.service * per_us) as u64);
                request.answer.store(answer, Relaxed);
                request.sojourn.store((micros_since(start) - request.at).to_bits(), Relaxed);
                group.done();
            });
        }
        group.wait().await;
        late
    });

    let (mut sojourns, mut slowdowns) = (vec![], vec![]);
    for (i, request) in requests.iter().enumerate() {
        let sojourn = f64::from_bits(request.sojourn.load(Relaxed));
        if sojourn <= 0.0 {
            fail(&format!("request {} was not served", i));
        }
        if i % 1000 == 0 {
            let want = lcg(i as u64, (request.service * per_us) as u64);
            check("a request's answer", request.answer.load(Relaxed), want);
        }
        sojourns.push(sojourn);
        slowdowns.push(sojourn / request.service);
    }
    const PS: [f64; 3] = [0.5, 0.99, 0.999];
    let [p50, p99, p999] = percentiles(sojourns, PS);
    let [slow50, slow99, slow999] = percentiles(slowdowns, PS);
    let extra = vec![
        ("sojourn_p99_us", p99),
        ("sojourn_p999_us", p999),
        ("slowdown_p50", slow50),
        ("slowdown_p99", slow99),
        ("slowdown_p999", slow999),
        ("requests", n as f64),
        ("load", options.load),
        ("sent_late", late as f64),
        ("steps_per_us", per_us),
    ];
    Outcome { metric: "sojourn_p50_us", value: p50, extra }
}

fn schedule(options: &Options) -> Vec<Request> {
    let (short, long, share_long) = match options.dist.as_str() {
        "issue8" => (5.0, 1000.0, 0.005),
        "extreme-bimodal" => (0.5, 500.0, 0.005),
        "high-bimodal" => (1.0, 100.0, 0.5),
        other => usage(&format!(
            "no --dist {:?}; there are issue8, extreme-bimodal and high-bimodal",
            other
        )),
    };
    let mean = short * (1.0 - share_long) + long * share_long;
    let gap = mean / (options.load * options.threads as f64);
    let mut random = Random(1);
    let mut requests = vec![];
    let mut at = 0.0;
    loop {
        at -= random.unit().ln() * gap;
        if at >= 10e6 * options.scale && !requests.is_empty() {
            return requests;
        }
        let service = if random.unit() <= share_long { long } else { short };
        let (sojourn, answer) = (AtomicU64::new(0), AtomicU64::new(0));
        requests.push(Request { at, service, sojourn, answer });
    }
}

/// The steps of `lcg` that an undisturbed microsecond holds. Service is counted
/// in steps, not read off a clock, so that a request that the kernel
/// interrupted still owes its work.
fn calibrate() -> f64 {
    const STEPS: u64 = 100_000;
    let mut best = f64::INFINITY;
    let mut x = 0;
    for _ in 0..100 {
        let start = Instant::now();
        x = lcg(x, STEPS);
        best = best.min(micros_since(start));
    }
    if x == 0 {
        fail("calibration came to nothing");
    }
    STEPS as f64 / best
}
