package main

import (
	"math"
	"runtime"
	"sync"
	"time"
)

// mix is a two-point distribution of service times in microseconds.
type mix struct{ short, long, shareLong float64 }

var mixes = map[string]mix{
	"issue8":          {5, 1000, 0.005},
	"extreme-bimodal": {0.5, 500, 0.005},
	"high-bimodal":    {1, 100, 0.5},
}

type arrival struct{ at, service float64 } // microseconds

// service is an open-loop service: Poisson arrivals for 10 seconds, drawn
// beforehand, a goroutine each. A request's sojourn counts from its scheduled
// arrival, so a generator that falls behind hides nothing.
func service() result {
	m, ok := mixes[*dist]
	if !ok {
		usage("no --dist %q; there are issue8, extreme-bimodal and high-bimodal", *dist)
	}
	var wait func(time.Duration)
	switch *generator {
	case "yield":
		wait = func(time.Duration) { runtime.Gosched() }
	case "sleep":
		wait = time.Sleep
	default:
		usage("no --generator %q; there are yield and sleep", *generator)
	}

	arrivals := schedule(m)
	perMicro := calibrate()
	n := len(arrivals)
	sojourns := make([]float64, n)
	sink := make([]uint64, n)
	late := 0
	var wg sync.WaitGroup
	wg.Add(n + 1)
	start := time.Now().Add(time.Millisecond)
	since := func() float64 { return float64(time.Since(start).Nanoseconds()) / 1e3 }
	go func() {
		defer wg.Done()
		for i := range arrivals {
			a := arrivals[i]
			now := since()
			for ; now < a.at; now = since() {
				wait(time.Duration((a.at - now) * 1e3))
			}
			if now > a.at+10 {
				late++
			}
			go func(i int) {
				sink[i] = lcg(uint64(i), int(a.service*perMicro))
				sojourns[i] = since() - a.at
				wg.Done()
			}(i)
		}
	}()
	wg.Wait()

	slowdowns := make([]float64, n)
	for i, s := range sojourns {
		if s <= 0 || (i%1000 == 0 && sink[i] != lcg(uint64(i), int(arrivals[i].service*perMicro))) {
			fail("request %d was not served", i)
		}
		slowdowns[i] = s / arrivals[i].service
	}
	return result{"sojourn_p50_us", percentile(sojourns, 0.5), extra{
		"sojourn_p99_us":  percentile(sojourns, 0.99),
		"sojourn_p999_us": percentile(sojourns, 0.999),
		"slowdown_p50":    percentile(slowdowns, 0.5),
		"slowdown_p99":    percentile(slowdowns, 0.99),
		"slowdown_p999":   percentile(slowdowns, 0.999),
		"requests":        float64(n), "load": *load,
		"sent_late":    float64(late), // by more than 10 us
		"steps_per_us": perMicro,
	}}
}

func schedule(m mix) (arrivals []arrival) {
	mean := m.short*(1-m.shareLong) + m.long*m.shareLong
	gap := mean / (*load * float64(runtime.GOMAXPROCS(0)))
	r := random(1)
	for at := 0.0; ; {
		at += -math.Log(r.unit()) * gap
		if at >= 10e6**scale && len(arrivals) > 0 {
			return arrivals
		}
		a := arrival{at, m.short}
		if r.unit() <= m.shareLong {
			a.service = m.long
		}
		arrivals = append(arrivals, a)
	}
}

// calibrate returns the steps of lcg that an undisturbed microsecond holds.
// Service is counted in steps, not read off a clock, so that a preempted
// request still owes its work.
func calibrate() float64 {
	const steps = 100000
	best := math.Inf(1)
	var x uint64
	for i := 0; i < 100; i++ {
		start := time.Now()
		x = lcg(x, steps)
		best = math.Min(best, float64(time.Since(start).Nanoseconds())/1e3)
	}
	if x == 0 {
		fail("calibration came to nothing")
	}
	return steps / best
}
