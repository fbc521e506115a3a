"""The lines of the comparison table: which run, which of its figures, and what gyre aims at."""

import collections

# What a program is asked to run. `flags` are gyre's alone; a run with flags of its own, or a `variant`, has a name so
# that its figures stay apart. `arguments` are for everybody.
Run = collections.namedtuple("Run", "row threads flags variant arguments", defaults=((), "", ()))

# One line. `figure` is "value" or a key of "extra". `kind`: "time" (what an amount of work takes), "latency" (how late
# something is), "memory", "rate" (more is better). `aim` is what gyre's best version should reach on a machine
# with two CPUs; None: none was set.
Line = collections.namedtuple("Line", "label run figure unit kind aim")


def _lines():
    lines = []

    def add(label, row, threads, unit, aim, figure="value", kind="time", flags=(), variant="", arguments=()):
        lines.append(Line(label, Run(row, threads, tuple(flags), variant, tuple(arguments)), figure, unit, kind, aim))

    add("yield between two tasks", "yield", 1, "ns a switch", 18)
    add("spawn and join", "spawn_join", 1, "ns a task", 40)
    add("spawn and join", "spawn_join", 2, "ns a task", 100)
    add("round trip, unbuffered", "chan_unbuffered", 1, "ns", 100)
    add("round trip, unbuffered", "chan_unbuffered", 2, "ns", 200)
    add("channel of 128, 1 to 1", "chan_buffered", 1, "ns an item", 25)
    add("channel of 128, 1 to 1", "chan_buffered", 2, "ns an item", 40)
    add("channel of 128, 4 to 4", "chan_mpmc", 2, "ns an item", 50)
    add("mutex, nobody else", "mutex_alone", 2, "ns", 10)
    add("mutex, 8 tasks", "mutex_contended", 2, "ns", 33)
    add("select of 2", "select", 1, "ns", 90)
    add("select of 2", "select", 2, "ns", 180)
    add("skynet, a million leaves", "skynet", 2, "ms", 250)
    add("... peak memory", "skynet", 2, "MB", 100, "peak_mb", "memory")
    for stack in ("contiguous", "fixed"):
        own = {"flags": ["--stack=" + stack], "variant": stack}
        first = stack == "contiguous"
        add("a million parked, %s stacks" % stack, "parked", 2, "bytes each", 2600 if first else None, kind="memory", **own)
        add("... create all", "parked", 2, "ms", 1500 if first else None, "create_ms", **own)
        add("... wake all", "parked", 2, "ms", 300 if first else None, "wake_ms", **own)
    add("100,000 sleeps, CPU time", "timers", 2, "s", 0.25)
    add("... mean lateness", "timers", 2, "us", 200, "mean_lateness_us", "latency")
    add("prime sieve, 2,000 primes", "sieve", 1, "ms", 150)
    add("prime sieve, 2,000 primes", "sieve", 2, "ms", 120)
    add("fib(30), a task a call", "fib", 2, "ms", 250)
    for connections, aim in ((64, 250000), (1000, None)):
        arguments = ["--connections=%d" % connections]
        add("TCP echo, {:,} connections".format(connections), "echo", 2, "requests/s", aim, kind="rate",
            arguments=arguments)
        add("... p50", "echo", 2, "us", None, "p50_us", "latency", arguments=arguments)
        add("... p99", "echo", 2, "us", None, "p99_us", "latency", arguments=arguments)
    hogs = {"flags": ["--preemption=klt:quantum=1ms"], "kind": "latency"}
    add("sleep of 1 ms beside 4 hogs, late p50", "hogs", 2, "ms", 0.5, **hogs)
    add("... p99", "hogs", 2, "ms", 2, "lateness_p99_ms", **hogs)
    add("service at 60 %, sojourn p50", "service", 2, "us", 10, kind="latency")
    add("... p99", "service", 2, "us", 1000, "sojourn_p99_us", "latency")
    add("... p99.9", "service", 2, "us", 2500, "sojourn_p999_us", "latency")
    return lines


LINES = _lines()

# Gigabytes that a full-scale run needs, where that is much.
NEEDS_GB = {
    ("boost_fiber", "parked"): 9.6,
    ("boost_fiber", "fib"): 6.6,
    ("boost_fiber", "skynet"): 3.3,
    ("gyre", "parked"): 4.8,
    ("go", "parked"): 3.1,
}

# How much of the full work a result says it did: the key of "extra", and the full amount.
AMOUNT = {"parked": ("tasks", 1000000), "fib": ("spawns", 1346268), "skynet": ("leaves", 1000000)}

# The figures that grow with the amount of work.
PROPORTIONAL = {
    ("parked", "create_ms"), ("parked", "wake_ms"), ("fib", "value"), ("skynet", "value"), ("skynet", "peak_mb")
}
