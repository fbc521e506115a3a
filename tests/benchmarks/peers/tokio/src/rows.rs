//! The rows that need nothing but tasks, channels, locks and timers.

use crate::util::*;
use crate::{check, fail, Options, Outcome};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch, Mutex, Semaphore};
use tokio::task::{spawn, yield_now, JoinHandle};
use tokio::time::sleep;

pub fn yields(options: &Options) -> Outcome {
    let n = options.scaled(2_000_000);
    let (elapsed, done) = options.run(async move {
        let yields = || async move {
            for _ in 0..n {
                yield_now().await;
            }
            n
        };
        let start = Instant::now();
        let (a, b) = (spawn(yields()), spawn(yields()));
        let done = a.await.unwrap() + b.await.unwrap();
        (start.elapsed(), done)
    });
    check("yields", done, 2 * n);
    per_op(elapsed, 2 * n)
}

pub fn spawn_join(options: &Options) -> Outcome {
    let batches = options.scaled(1_000);
    const BATCH: usize = 1_000;
    let elapsed = options.run(async move {
        let start = Instant::now();
        let mut batch = Vec::with_capacity(BATCH);
        for _ in 0..batches {
            batch.extend((0..BATCH).map(|_| spawn(async {})));
            for task in batch.drain(..) {
                task.await.unwrap();
            }
        }
        start.elapsed()
    });
    per_op(elapsed, batches * BATCH as u64)
}

pub fn chan_unbuffered(options: &Options) -> Outcome {
    let n = options.scaled(1_000_000);
    let (elapsed, sum) = options.run(async move {
        let (ping, mut pings) = mpsc::channel(1);
        let (pong, mut pongs) = mpsc::channel(1);
        let start = Instant::now();
        spawn(async move {
            while let Some(v) = pings.recv().await {
                pong.send(v + 1).await.unwrap();
            }
        });
        let client = spawn(async move {
            let mut sum = 0;
            for i in 0..n {
                ping.send(i).await.unwrap();
                sum += pongs.recv().await.unwrap();
            }
            sum
        });
        let sum = client.await.unwrap();
        (start.elapsed(), sum)
    });
    check("sum", sum, n * (n + 1) / 2);
    per_op(elapsed, n)
}

pub fn chan_buffered(options: &Options) -> Outcome {
    let n = options.scaled(5_000_000);
    let (elapsed, sum) = options.run(async move {
        let (sender, mut receiver) = mpsc::channel(128);
        let start = Instant::now();
        spawn(async move {
            for i in 1..=n {
                sender.send(i).await.unwrap();
            }
        });
        let consumer = spawn(async move {
            let mut sum = 0;
            while let Some(v) = receiver.recv().await {
                sum += v;
            }
            sum
        });
        let sum: u64 = consumer.await.unwrap();
        (start.elapsed(), sum)
    });
    check("sum", sum, n * (n + 1) / 2);
    per_op(elapsed, n)
}

/// Tokio's mpsc has one receiver. This is the many-receiver channel that
/// Tokio's semaphores make; it is faster than an mpsc receiver behind a mutex.
struct Queue {
    room: Semaphore,
    items: Semaphore,
    values: std::sync::Mutex<VecDeque<u64>>,
}

impl Queue {
    async fn send(&self, value: u64) {
        self.room.acquire().await.unwrap().forget();
        self.values.lock().unwrap().push_back(value);
        self.items.add_permits(1);
    }

    async fn recv(&self) -> u64 {
        self.items.acquire().await.unwrap().forget();
        let value = self.values.lock().unwrap().pop_front().unwrap();
        self.room.add_permits(1);
        value
    }
}

pub fn chan_mpmc(options: &Options) -> Outcome {
    let each = options.scaled(1_000_000);
    let (elapsed, sum) = options.run(async move {
        let queue = Arc::new(Queue {
            room: Semaphore::new(128),
            items: Semaphore::new(0),
            values: std::sync::Mutex::new(VecDeque::with_capacity(128)),
        });
        let start = Instant::now();
        for _ in 0..4 {
            let queue = queue.clone();
            spawn(async move {
                for i in 1..=each {
                    queue.send(i).await;
                }
            });
        }
        let consume = |queue: Arc<Queue>| async move {
            let mut sum = 0;
            for _ in 0..each {
                sum += queue.recv().await;
            }
            sum
        };
        let consumers: Vec<JoinHandle<u64>> =
            (0..4).map(|_| spawn(consume(queue.clone()))).collect();
        let mut sum = 0;
        for consumer in consumers {
            sum += consumer.await.unwrap();
        }
        (start.elapsed(), sum)
    });
    check("sum", sum, 4 * (each * (each + 1) / 2));
    per_op(elapsed, 4 * each)
}

pub fn mutex_alone(options: &Options) -> Outcome {
    let n = options.scaled(20_000_000);
    let (elapsed, count) = options.run(async move {
        let mutex = Mutex::new(0);
        let start = Instant::now();
        for _ in 0..n {
            *mutex.lock().await += 1;
        }
        (start.elapsed(), mutex.into_inner())
    });
    check("count", count, n);
    per_op(elapsed, n)
}

pub fn mutex_contended(options: &Options) -> Outcome {
    const TASKS: u64 = 8;
    const STEPS: u64 = 20;
    let n = options.scaled(500_000);
    let (elapsed, shared, own) = options.run(async move {
        let mutex = Arc::new(Mutex::new(0));
        let work = |task: u64, mutex: Arc<Mutex<u64>>| async move {
            let mut x = task;
            for _ in 0..n {
                let mut shared = mutex.lock().await;
                *shared = lcg(*shared, STEPS);
                drop(shared);
                x = lcg(x, STEPS);
            }
            x
        };
        let start = Instant::now();
        let tasks: Vec<JoinHandle<u64>> =
            (0..TASKS).map(|task| spawn(work(task, mutex.clone()))).collect();
        let mut own = vec![];
        for task in tasks {
            own.push(task.await.unwrap());
        }
        let elapsed = start.elapsed();
        let shared = *mutex.lock().await;
        (elapsed, shared, own)
    });
    check("state under the lock", shared, lcg(0, TASKS * n * STEPS));
    for (task, x) in (0..TASKS).zip(own) {
        check("a task's own state", x, lcg(task, n * STEPS));
    }
    per_op(elapsed, TASKS * n)
}

pub fn select(options: &Options) -> Outcome {
    let n = options.scaled(1_000_000);
    let (elapsed, sum) = options.run(async move {
        let (to_a, mut a) = mpsc::channel(1);
        let (to_b, mut b) = mpsc::channel(1);
        let send = |to: mpsc::Sender<u64>| async move {
            for i in 1..=n {
                to.send(i).await.unwrap();
            }
        };
        let start = Instant::now();
        spawn(send(to_a));
        spawn(send(to_b));
        let receiver = spawn(async move {
            let mut sum = 0;
            for _ in 0..2 * n {
                sum += tokio::select! {
                    Some(v) = a.recv() => v,
                    Some(v) = b.recv() => v,
                    else => break,
                };
            }
            sum
        });
        let sum = receiver.await.unwrap();
        (start.elapsed(), sum)
    });
    check("sum", sum, n * (n + 1));
    per_op(elapsed, 2 * n)
}

type BoxedTask<T> = Pin<Box<dyn Future<Output = T> + Send>>;

fn skynet_node(out: mpsc::Sender<u64>, num: u64, size: u64) -> BoxedTask<()> {
    Box::pin(async move {
        let mut sum = num;
        if size > 1 {
            let (to_me, mut from_children) = mpsc::channel(10);
            for i in 0..10 {
                spawn(skynet_node(to_me.clone(), num + i * (size / 10), size / 10));
            }
            drop(to_me);
            sum = 0;
            while let Some(v) = from_children.recv().await {
                sum += v;
            }
        }
        out.send(sum).await.unwrap();
    })
}

pub fn skynet(options: &Options) -> Outcome {
    let leaves = 10u64.pow((6.0 + options.scale.log10()).round().max(1.0) as u32);
    let (elapsed, sum) = options.run(async move {
        let start = Instant::now();
        let (out, mut root) = mpsc::channel(1);
        spawn(skynet_node(out, 0, leaves));
        let sum = root.recv().await.unwrap();
        (start.elapsed(), sum)
    });
    check("sum", sum, leaves * (leaves - 1) / 2);
    let extra = vec![("leaves", leaves as f64)];
    Outcome { metric: "ms", value: millis(elapsed), extra }
}

/// Tokio's mpsc has one receiver, so the million wait on a watch channel.
pub fn parked(options: &Options) -> Outcome {
    let n = options.scaled(1_000_000);
    let (bytes, create, wake, woken) = options.run(async move {
        let started = Arc::new(AtomicU64::new(0));
        let woken = Arc::new(AtomicU64::new(0));
        let group = Arc::new(WaitGroup::new(n as usize));
        let (sender, receiver) = watch::channel(());
        let before = resident_bytes();
        let start = Instant::now();
        for _ in 0..n {
            let mut receiver = receiver.clone();
            let (started, woken, group) = (started.clone(), woken.clone(), group.clone());
            spawn(async move {
                started.fetch_add(1, Ordering::Relaxed);
                if receiver.changed().await.is_err() {
                    woken.fetch_add(1, Ordering::Relaxed);
                }
                group.done();
            });
        }
        while started.load(Ordering::Relaxed) < n {
            yield_now().await;
        }
        let create = start.elapsed();
        // The last ones are on their way to the channel.
        sleep(Duration::from_millis(50)).await;
        let bytes = resident_bytes() - before;
        let start = Instant::now();
        drop(sender);
        group.wait().await;
        (bytes, create, start.elapsed(), woken.load(Ordering::Relaxed))
    });
    check("tasks woken by close", woken, n);
    let extra =
        vec![("create_ms", millis(create)), ("wake_ms", millis(wake)), ("tasks", n as f64)];
    Outcome { metric: "bytes_per_task", value: bytes / n as f64, extra }
}

pub fn timers(options: &Options) -> Outcome {
    let n = options.scaled(100_000);
    let (cpu, late) = options.run(async move {
        let mut random = Random(1);
        let before = cpu_seconds();
        let mut tasks = vec![];
        for _ in 0..n {
            let duration = Duration::from_millis(1 + random.next() % 1000);
            tasks.push(spawn(async move {
                let start = Instant::now();
                sleep(duration).await;
                micros_since(start) - duration.as_nanos() as f64 / 1e3
            }));
        }
        let mut late = vec![];
        for task in tasks {
            late.push(task.await.unwrap());
        }
        (cpu_seconds() - before, late)
    });
    if late.iter().any(|l| *l < 0.0) {
        fail("a sleep ended early");
    }
    let mean = late.iter().sum::<f64>() / n as f64;
    let [p99] = percentiles(late, [0.99]);
    let extra = vec![("mean_lateness_us", mean), ("p99_lateness_us", p99)];
    Outcome { metric: "cpu_s", value: cpu, extra }
}

pub fn sieve(options: &Options) -> Outcome {
    let n = options.scaled(2_000);
    let (elapsed, prime) = options.run(async move {
        let start = Instant::now();
        let (out, mut numbers) = mpsc::channel(1);
        // Each task ends when the one behind it has dropped its receiver.
        spawn(async move {
            let mut i = 2u64;
            while out.send(i).await.is_ok() {
                i += 1;
            }
        });
        let mut prime = 0;
        for _ in 0..n {
            prime = numbers.recv().await.unwrap();
            let (out, filtered) = mpsc::channel(1);
            let mut input = std::mem::replace(&mut numbers, filtered);
            spawn(async move {
                while let Some(v) = input.recv().await {
                    if v % prime != 0 && out.send(v).await.is_err() {
                        return;
                    }
                }
            });
        }
        (start.elapsed(), prime)
    });
    check("last prime", prime, nth_prime(n));
    Outcome { metric: "ms", value: millis(elapsed), extra: vec![("primes", n as f64)] }
}

fn fib_task(n: u64) -> BoxedTask<u64> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let x = spawn(fib_task(n - 1));
        let y = fib_task(n - 2).await;
        x.await.unwrap() + y
    })
}

pub fn fib(options: &Options) -> Outcome {
    let n = (30.0 + (options.scale.ln() / 1.618034f64.ln()).floor()).max(2.0) as u64;
    let (elapsed, got) = options.run(async move {
        let start = Instant::now();
        let got = fib_task(n).await;
        (start.elapsed(), got)
    });
    check("fib", got, fibonacci(n));
    let spawns = fibonacci(n + 1) - 1;
    let extra = vec![("n", n as f64), ("spawns", spawns as f64)];
    Outcome { metric: "ms", value: millis(elapsed), extra }
}
