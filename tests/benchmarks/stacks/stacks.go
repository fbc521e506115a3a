// What Go's stacks do where gyre's lab workloads parked, hotsplit and deepstack are. It prints one line of figures for each.
package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

func residentBytes() float64 {
	var all, resident float64
	text, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(text), &all, &resident)
	return resident * 4096
}

func parked(n int) {
	var started, woken atomic.Int64
	var wg sync.WaitGroup
	wg.Add(n)
	ch := make(chan bool)
	before := residentBytes()
	start := time.Now()
	for i := 0; i < n; i++ {
		go func() {
			started.Add(1)
			if _, ok := <-ch; !ok {
				woken.Add(1)
			}
			wg.Done()
		}()
	}
	for started.Load() < int64(n) {
		time.Sleep(time.Millisecond)
	}
	create := time.Since(start)
	time.Sleep(50 * time.Millisecond)
	each := (residentBytes() - before) / float64(n)
	start = time.Now()
	close(ch)
	wg.Wait()
	fmt.Printf("parked     go           %7.0f bytes each, created in %d ms, woken in %d ms\n", each, create.Milliseconds(),
		time.Since(start).Milliseconds())
}

//go:noinline
func leaf(n int) int {
	var frame [200]byte
	frame[n%200] = byte(n)
	return int(frame[1])
}

//go:noinline
func loopAt(depth, calls int, elapsed *time.Duration) int {
	var frame [16]byte
	frame[depth%16] = 0
	if depth > 0 {
		return loopAt(depth-1, calls, elapsed) + int(frame[0])
	}
	start := time.Now()
	sum := 0
	for i := 0; i < calls; i++ {
		sum += leaf(1)
	}
	*elapsed = time.Since(start)
	return sum
}

func hotsplit(depths, calls int) {
	most, sum := 0.0, 0.0
	for depth := 0; depth < depths; depth++ {
		best := time.Hour
		for round := 0; round < 2; round++ {
			var elapsed time.Duration
			done := make(chan bool)
			go func() {
				loopAt(depth, calls, &elapsed)
				done <- true
			}()
			<-done
			best = min(best, elapsed)
		}
		each := float64(best.Nanoseconds()) / float64(calls)
		most = max(most, each)
		sum += each
	}
	fmt.Printf("hotsplit   go           %7.2f ns a call at the worst depth, %.2f on average\n", most, sum/float64(depths))
}

func min(a, b time.Duration) time.Duration {
	if a < b {
		return a
	}
	return b
}

func max(a, b float64) float64 {
	if a > b {
		return a
	}
	return b
}

//go:noinline
func descend(depth int) int {
	var frame [120]int
	for i := 0; i < 120; i += 8 {
		frame[i] = depth + i
	}
	sum := 0
	if depth > 0 {
		sum = descend(depth - 1)
	}
	for i := 0; i < 120; i += 8 {
		sum += frame[i]
	}
	return sum
}

func deepstack(goroutines, kib int) {
	before := residentBytes()
	start := time.Now()
	deep, again := make(chan int), make(chan bool)
	var wg sync.WaitGroup
	wg.Add(goroutines)
	for i := 0; i < goroutines; i++ {
		go func() {
			deep <- descend(kib)
			<-again
			descend(kib)
			wg.Done()
		}()
	}
	for i := 0; i < goroutines; i++ {
		<-deep
	}
	grow := time.Since(start)
	grown := residentBytes()
	start = time.Now()
	for residentBytes() > before+(grown-before)/10 && time.Since(start) < 10*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	shrink := time.Since(start)
	shrunk := residentBytes()
	close(again)
	wg.Wait()
	fmt.Printf("deepstack  go           %7.1f MiB grown in %d ms, %.1f MiB after %d ms parked\n", (grown-before)/(1<<20),
		grow.Milliseconds(), (shrunk-before)/(1<<20), shrink.Milliseconds())
}

func main() {
	parked(1000000)
	hotsplit(40, 1000000)
	deepstack(16, 4096)
}
