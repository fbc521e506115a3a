package main

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

const messageSize = 64

// echo runs a TCP echo server and its clients in this process for 3 seconds.
func echo() result {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()

	conns := make([]net.Conn, *connections)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", listener.Addr().String()); err != nil {
			fail("%v", err)
		}
	}
	latencies := make([][]float64, len(conns))
	var wg sync.WaitGroup
	wg.Add(len(conns))
	start := time.Now()
	end := start.Add(time.Duration(3 * *scale * float64(time.Second)))
	for i := range conns {
		go func(i int) {
			defer wg.Done()
			latencies[i] = request(conns[i], end)
		}(i)
	}
	wg.Wait()
	d := time.Since(start)
	listener.Close()
	var all []float64
	for _, l := range latencies {
		all = append(all, l...)
	}
	return result{"requests_per_s", float64(len(all)) / d.Seconds(), extra{
		"connections": float64(len(conns)),
		"p50_us":      percentile(all, 0.5), "p99_us": percentile(all, 0.99)}}
}

func serve(conn net.Conn) {
	defer conn.Close()
	var buf [messageSize]byte
	for {
		n, err := conn.Read(buf[:])
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

// request sends one message after another until end and returns each one's
// round trip in microseconds.
func request(conn net.Conn, end time.Time) (latencies []float64) {
	defer conn.Close()
	var out, in [messageSize]byte
	now := time.Now()
	for seq := uint64(1); now.Before(end); seq++ {
		binary.LittleEndian.PutUint64(out[:], seq)
		binary.LittleEndian.PutUint64(out[messageSize-8:], ^seq)
		if _, err := conn.Write(out[:]); err != nil {
			fail("%v", err)
		}
		if _, err := io.ReadFull(conn, in[:]); err != nil {
			fail("%v", err)
		}
		if in != out {
			fail("message %d came back changed", seq)
		}
		sent := now
		now = time.Now()
		latencies = append(latencies, float64(now.Sub(sent).Nanoseconds())/1e3)
	}
	return latencies
}
