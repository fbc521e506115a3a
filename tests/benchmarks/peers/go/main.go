// Peer "go": the rows of gyre's comparison table, written as a Go programmer
// would write them.
//
//	peer --list
//	peer --row=NAME [--threads=N] [--scale=F]
//
// Prints one line of JSON. Exits with 1 when the row's own check fails and
// with 2 when the command line is wrong. Without --threads, GOMAXPROCS rules.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strings"
	"time"
)

var (
	row         = flag.String("row", "", "the row to run")
	list        = flag.Bool("list", false, "print the rows and exit")
	threads     = flag.Int("threads", 0, "processors; 0 leaves GOMAXPROCS as it is")
	scale       = flag.Float64("scale", 1, "share of the work to do")
	connections = flag.Int("connections", 64, "echo: connections")
	dist        = flag.String("dist", "issue8", "service: issue8, extreme-bimodal or high-bimodal")
	load        = flag.Float64("load", 0.6, "service: offered load, as a share of all processors")
	generator   = flag.String("generator", "yield", "service: how the generator waits, yield or sleep")
)

type extra map[string]float64

// result is what a row measured; main adds who measured it.
type result struct {
	metric string
	value  float64
	extra  extra
}

var rows = []struct {
	name string
	run  func() result
}{
	{"yield", yield},
	{"spawn_join", spawnJoin},
	{"chan_unbuffered", chanUnbuffered},
	{"chan_buffered", chanBuffered},
	{"chan_mpmc", chanMPMC},
	{"mutex_alone", mutexAlone},
	{"mutex_contended", mutexContended},
	{"select", selectTwo},
	{"skynet", skynet},
	{"parked", parked},
	{"timers", timers},
	{"sieve", sieve},
	{"fib", fib},
	{"echo", echo},
	{"hogs", hogs},
	{"service", service},
}

func main() {
	flag.Parse()
	if *list {
		for _, r := range rows {
			fmt.Println(r.name)
		}
		return
	}
	if flag.NArg() > 0 {
		usage("unexpected argument %q", flag.Arg(0))
	}
	if *threads < 0 || *scale <= 0 || *load <= 0 || *connections < 1 {
		usage("--threads, --scale, --load and --connections must be positive")
	}
	if *threads > 0 {
		runtime.GOMAXPROCS(*threads)
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
		if r.name == *row {
			report(r.name, r.run())
			return
		}
	}
	usage("no row %q; the rows are %s", *row, strings.Join(names, ", "))
}

func report(name string, r result) {
	if r.extra == nil {
		r.extra = extra{}
	}
	if _, ok := r.extra["peak_mb"]; !ok {
		r.extra["peak_mb"] = peakMB()
	}
	for k, v := range r.extra {
		r.extra[k] = round(v)
	}
	line, err := json.Marshal(struct {
		Peer    string  `json:"peer"`
		Version string  `json:"version"`
		Row     string  `json:"row"`
		Threads int     `json:"threads"`
		Metric  string  `json:"metric"`
		Value   float64 `json:"value"`
		Extra   extra   `json:"extra"`
	}{"go", strings.TrimPrefix(runtime.Version(), "go"), name, runtime.GOMAXPROCS(0),
		r.metric, round(r.value), r.extra})
	if err != nil {
		fail("%v", err)
	}
	fmt.Println(string(line))
}

func usage(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "peer go: "+format+"\n", args...)
	os.Exit(2)
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "peer go: "+*row+": "+format+"\n", args...)
	os.Exit(1)
}

func check(what string, got, want uint64) {
	if got != want {
		fail("%s is %d, not %d", what, got, want)
	}
}

// scaled is n shrunk by --scale, at least 1.
func scaled(n int) int {
	return int(math.Max(1, math.Round(float64(n)**scale)))
}

func round(v float64) float64 { return math.Round(v*1000) / 1000 }

func perOp(d time.Duration, ops int) result {
	return result{metric: "ns_per_op", value: float64(d.Nanoseconds()) / float64(ops)}
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// percentile sorts v and returns its p-quantile by nearest rank.
func percentile(v []float64, p float64) float64 {
	if !sort.Float64sAreSorted(v) {
		sort.Float64s(v)
	}
	return v[int(math.Max(0, math.Ceil(p*float64(len(v)))-1))]
}

// peakMB is the process's largest resident size (not ru_maxrss, which a child
// inherits from whoever started it).
func peakMB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}

func residentBytes() float64 {
	statm, _ := os.ReadFile("/proc/self/statm")
	var size, resident float64
	fmt.Sscan(string(statm), &size, &resident)
	return resident * float64(os.Getpagesize())
}

// lcg takes n steps of Knuth's linear congruential generator: work whose
// length the compiler cannot shorten.
func lcg(x uint64, n int) uint64 {
	for i := 0; i < n; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

// random is splitmix64; every peer draws the same numbers.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is uniform in (0, 1].
func (r *random) unit() float64 { return (float64(r.next()>>11) + 1) / (1 << 53) }
