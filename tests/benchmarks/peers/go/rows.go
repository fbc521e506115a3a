package main

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func yield() result {
	n := scaled(2000000)
	var done [2]int
	var wg sync.WaitGroup
	wg.Add(2)
	start := time.Now()
	for t := 0; t < 2; t++ {
		go func(t int) {
			defer wg.Done()
			for i := 0; i < n; i++ {
				runtime.Gosched()
			}
			done[t] = n
		}(t)
	}
	wg.Wait()
	d := time.Since(start)
	check("yields", uint64(done[0]+done[1]), uint64(2*n))
	return perOp(d, 2*n)
}

func spawnJoin() result {
	batches := scaled(1000)
	const batch = 1000
	start := time.Now()
	for b := 0; b < batches; b++ {
		var wg sync.WaitGroup
		wg.Add(batch)
		for i := 0; i < batch; i++ {
			go wg.Done()
		}
		wg.Wait() // returns only when all have run: the row's own check
	}
	return perOp(time.Since(start), batches*batch)
}

func chanUnbuffered() result {
	n := scaled(1000000)
	ping, pong := make(chan uint64), make(chan uint64)
	sum := make(chan uint64)
	start := time.Now()
	go func() {
		for v := range ping {
			pong <- v + 1
		}
	}()
	go func() {
		var s uint64
		for i := 0; i < n; i++ {
			ping <- uint64(i)
			s += <-pong
		}
		close(ping)
		sum <- s
	}()
	s := <-sum
	d := time.Since(start)
	check("sum", s, uint64(n)*uint64(n+1)/2)
	return perOp(d, n)
}

func chanBuffered() result { return queue(1, 1, scaled(5000000)) }
func chanMPMC() result     { return queue(4, 4, scaled(1000000)*4) }

// queue moves items through one channel of 128.
func queue(producers, consumers, items int) result {
	ch := make(chan uint64, 128)
	sums := make(chan uint64)
	var wg sync.WaitGroup
	wg.Add(producers)
	start := time.Now()
	for p := 0; p < producers; p++ {
		go func() {
			defer wg.Done()
			for i := 1; i <= items/producers; i++ {
				ch <- uint64(i)
			}
		}()
	}
	for c := 0; c < consumers; c++ {
		go func() {
			var s uint64
			for v := range ch {
				s += v
			}
			sums <- s
		}()
	}
	wg.Wait()
	close(ch)
	var sum uint64
	for c := 0; c < consumers; c++ {
		sum += <-sums
	}
	d := time.Since(start)
	each := uint64(items / producers)
	check("sum", sum, uint64(producers)*(each*(each+1)/2))
	return perOp(d, items)
}

func mutexAlone() result {
	n := scaled(20000000)
	var mu sync.Mutex
	var count uint64
	start := time.Now()
	for i := 0; i < n; i++ {
		mu.Lock()
		count++
		mu.Unlock()
	}
	d := time.Since(start)
	check("count", count, uint64(n))
	return perOp(d, n)
}

func mutexContended() result {
	const tasks, steps = 8, 20
	n := scaled(500000)
	var mu sync.Mutex
	var shared uint64
	var own [tasks]uint64
	var wg sync.WaitGroup
	wg.Add(tasks)
	start := time.Now()
	for t := 0; t < tasks; t++ {
		go func(t int) {
			defer wg.Done()
			x := uint64(t)
			for i := 0; i < n; i++ {
				mu.Lock()
				shared = lcg(shared, steps)
				mu.Unlock()
				x = lcg(x, steps)
			}
			own[t] = x
		}(t)
	}
	wg.Wait()
	d := time.Since(start)
	check("state under the lock", shared, lcg(0, tasks*n*steps))
	for t := range own {
		check("a task's own state", own[t], lcg(uint64(t), n*steps))
	}
	return perOp(d, tasks*n)
}

func selectTwo() result {
	n := scaled(1000000)
	a, b := make(chan uint64), make(chan uint64)
	send := func(ch chan<- uint64) {
		for i := 1; i <= n; i++ {
			ch <- uint64(i)
		}
	}
	sum := make(chan uint64)
	start := time.Now()
	go send(a)
	go send(b)
	go func() {
		var s uint64
		for i := 0; i < 2*n; i++ {
			select {
			case v := <-a:
				s += v
			case v := <-b:
				s += v
			}
		}
		sum <- s
	}()
	s := <-sum
	d := time.Since(start)
	check("sum", s, uint64(n)*uint64(n+1))
	return perOp(d, 2*n)
}

func skynet() result {
	leaves := int(math.Pow10(int(math.Max(1, math.Round(6+math.Log10(*scale))))))
	start := time.Now()
	sum := make(chan uint64)
	go skynetNode(sum, 0, leaves)
	s := <-sum
	d := time.Since(start)
	check("sum", s, uint64(leaves)*uint64(leaves-1)/2)
	return result{"ms", ms(d), extra{"leaves": float64(leaves)}}
}

func skynetNode(out chan<- uint64, num, size int) {
	if size == 1 {
		out <- uint64(num)
		return
	}
	in := make(chan uint64)
	for i := 0; i < 10; i++ {
		go skynetNode(in, num+i*(size/10), size/10)
	}
	var sum uint64
	for i := 0; i < 10; i++ {
		sum += <-in
	}
	out <- sum
}

func parked() result {
	n := scaled(1000000)
	var started, woken atomic.Int64
	var wg sync.WaitGroup
	wg.Add(n)
	ch := make(chan int)
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
		runtime.Gosched()
	}
	create := time.Since(start)
	time.Sleep(50 * time.Millisecond) // the last ones are on their way to the channel
	each := (residentBytes() - before) / float64(n)
	start = time.Now()
	close(ch)
	wg.Wait()
	wake := time.Since(start)
	check("tasks woken by close", uint64(woken.Load()), uint64(n))
	return result{"bytes_per_task", each,
		extra{"create_ms": ms(create), "wake_ms": ms(wake), "tasks": float64(n)}}
}

func timers() result {
	n := scaled(100000)
	r := random(1)
	late := make([]float64, n)
	var wg sync.WaitGroup
	wg.Add(n)
	before := cpuSeconds()
	for i := 0; i < n; i++ {
		d := time.Duration(1+r.next()%1000) * time.Millisecond
		go func(i int) {
			defer wg.Done()
			start := time.Now()
			time.Sleep(d)
			late[i] = float64((time.Since(start) - d).Nanoseconds()) / 1e3
		}(i)
	}
	wg.Wait()
	cpu := cpuSeconds() - before
	var sum float64
	for _, l := range late {
		if l < 0 {
			fail("a sleep ended %.1f us early", -l)
		}
		sum += l
	}
	return result{"cpu_s", cpu, extra{"mean_lateness_us": sum / float64(n),
		"p99_lateness_us": percentile(late, 0.99)}}
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func sieve() result {
	n := scaled(2000)
	start := time.Now()
	ch := make(chan uint64)
	go func(ch chan<- uint64) {
		for i := uint64(2); ; i++ {
			ch <- i
		}
	}(ch)
	var prime uint64
	for i := 0; i < n; i++ {
		prime = <-ch
		next := make(chan uint64)
		go func(in <-chan uint64, out chan<- uint64, prime uint64) {
			for {
				if v := <-in; v%prime != 0 {
					out <- v
				}
			}
		}(ch, next, prime)
		ch = next
	}
	d := time.Since(start)
	check("last prime", prime, nthPrime(n))
	return result{"ms", ms(d), extra{"primes": float64(n)}}
}

// nthPrime is the plain answer to check the sieve by; the 2,000th is 17389.
func nthPrime(n int) uint64 {
	p := uint64(1)
	for ; n > 0; n-- {
		for isPrime := false; !isPrime; {
			p++
			isPrime = true
			for d := uint64(2); d*d <= p && isPrime; d++ {
				isPrime = p%d != 0
			}
		}
	}
	return p
}

func fib() result {
	n := int(math.Max(2, 30+math.Floor(math.Log(*scale)/math.Log(math.Phi))))
	start := time.Now()
	got := fibTask(n)
	d := time.Since(start)
	var a, b uint64 = 0, 1
	for i := 0; i < n; i++ {
		a, b = b, a+b
	}
	check("fib", got, a)
	return result{"ms", ms(d), extra{"n": float64(n), "spawns": float64(b - 1)}}
}

func fibTask(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	x := make(chan uint64, 1)
	go func() { x <- fibTask(n - 1) }()
	y := fibTask(n - 2)
	return <-x + y
}

func hogs() result {
	n := scaled(500)
	for i := 0; i < 4; i++ {
		go func(x uint64) {
			for {
				x = x*6364136223846793005 + 1442695040888963407
			}
		}(uint64(i))
	}
	late := make([]float64, n)
	for i := range late {
		start := time.Now()
		time.Sleep(time.Millisecond)
		late[i] = ms(time.Since(start) - time.Millisecond)
		if late[i] < 0 {
			fail("a sleep ended %.3f ms early", -late[i])
		}
	}
	return result{"lateness_p50_ms", percentile(late, 0.5),
		extra{"lateness_p99_ms": percentile(late, 0.99), "sleeps": float64(n)}}
}
