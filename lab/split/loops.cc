#include "lab/split/loops.h"

#include "runtime/go.h"

namespace gyre::lab {

namespace {

// A function that calls code compiled without -fsplit-stack runs where there is room for that. These are such
// functions, so that those who call them are not.
[[gnu::noinline]] Nanos ReadClock() {
  const Nanos now = NowNanos();
  asm volatile("");
  return now;
}
[[gnu::noinline]] void Finish(WaitGroup* done) {
  done->Done();
  asm volatile("");
}
[[gnu::noinline]] void Call(const std::function<void()>& f) {
  f();
  asm volatile("");
}

[[gnu::noinline]] int64_t Leaf(int64_t n) {
  volatile char frame[200];
  frame[0] = static_cast<char>(n);
  return frame[0];
}

[[gnu::noinline]] int64_t LoopAt(int depth, int64_t calls, LoopResult* result) {
  volatile char frame[16];
  frame[0] = 0;
  if (depth > 0) return LoopAt(depth - 1, calls, result) + frame[0];
  const Nanos begin = ReadClock();
  int64_t sum = 0;
  for (int64_t i = 0; i < calls; ++i) sum += Leaf(1);
  result->elapsed = ReadClock() - begin;
  return sum;
}

constexpr uint64_t kWords = 120;

}  // namespace

void StartLoopAt(int depth, int64_t calls, LoopResult* result, WaitGroup* done) {
  Go([depth, calls, result, done] {
    result->sum = LoopAt(depth, calls, result);
    Finish(done);
  });
}

[[gnu::noinline]] uint64_t Descend(int64_t depth, uint64_t seed, const std::function<void()>& at_the_bottom) {
  volatile uint64_t frame[kWords];
  for (uint64_t i = 0; i < kWords; i += 8) frame[i] = seed * (i + 1);
  uint64_t sum = 0;
  if (depth > 0) {
    sum = Descend(depth - 1, seed + 1, at_the_bottom);
  } else {
    Call(at_the_bottom);
  }
  for (uint64_t i = 0; i < kWords; i += 8) sum += frame[i];
  return sum;
}

uint64_t SumOfDescent(int64_t depth, uint64_t seed) {
  uint64_t sum = 0;
  for (int64_t level = 0; level <= depth; ++level) {
    for (uint64_t i = 0; i < kWords; i += 8) sum += (seed + static_cast<uint64_t>(level)) * (i + 1);
  }
  return sum;
}

}  // namespace gyre::lab
