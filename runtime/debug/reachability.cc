#include "runtime/debug/reachability.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "runtime/core.h"
#include "runtime/jump.h"

namespace gyre::internal {

namespace {

constexpr uintptr_t kRedZone = 128;  // below the stack pointer, and in use
constexpr uintptr_t kPage = 4096;

uintptr_t AddressOf(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

// Those that only something else in the process can wake. Sleepers and those that wait for the kernel wake by
// themselves.
bool IsCandidate(const G* g) {
  if (g->state.load(std::memory_order_acquire) != GState::kWaiting) return false;
  if (g->context.load(std::memory_order_acquire) == nullptr) return false;
  switch (g->wait_reason.load(std::memory_order_relaxed)) {
    case WaitReason::kSleep:
    case WaitReason::kIOWait:
    case WaitReason::kOthers:
    case WaitReason::kNone:
      return false;
    default:
      return true;
  }
}

// A machine that sleeps for want of work, or of a processor, readies nobody.
bool Sleeps(const StoppedThread& thread) {
  const Machine* m = thread.state->m;
  return m != nullptr && thread.state->g == &m->system &&
         (m->p == nullptr || m->p->quiet.load(std::memory_order_relaxed));
}

// Where the last frame of a chain of frame pointers ends.
uintptr_t EndOfFrames(uintptr_t frame, StackRange stack) {
  for (uintptr_t next;
       (next = *reinterpret_cast<const uintptr_t*>(frame)) > frame && next % 8 == 0 && stack.Holds(next, 16);) {
    frame = next;
  }
  return frame + 16;
}

// Reads a text file by lines of at most kLongest bytes (the rest of a longer one is left out), without malloc.
class Lines {
 public:
  explicit Lines(const char* path) : file_(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~Lines() {
    if (file_ >= 0) close(file_);
  }
  const char* Next() {
    size_t length = 0;
    for (;;) {
      if (at_ == filled_) {
        const ssize_t n = file_ >= 0 ? read(file_, buffer_, sizeof(buffer_)) : 0;
        if (n <= 0) return nullptr;
        at_ = 0;
        filled_ = static_cast<size_t>(n);
      }
      const char c = buffer_[at_++];
      if (c == '\n') break;
      if (length < kLongest) line_[length++] = c;
    }
    line_[length] = '\0';
    return line_;
  }

 private:
  static constexpr size_t kLongest = 511;
  const int file_;
  char buffer_[4096];
  size_t at_ = 0, filled_ = 0;
  char line_[kLongest + 1];
};

}  // namespace

Reachability::Reachability(size_t most)
    : candidates_(most), live_frames_(most), excluded_(4 * most + 65536), regions_(1 << 20), work_(size_t{1} << 25) {}

bool Reachability::AddGoroutine(const G* g, absl::Span<const StoppedThread> threads) {
  const StackRange stack{AddressOf(g->stack.low), AddressOf(g)};
  const uintptr_t saved = StackPointerOf(g->context.load(std::memory_order_acquire));
  // It goes on in another segment of its stack (--stack=segmented): where that one ends is not known here.
  if (saved != 0 && !stack.Holds(saved, 1)) return false;
  uintptr_t sp = saved == 0 ? 0 : saved - kRedZone;
  if (IsCandidate(g)) {
    candidates_.Push({{sp, stack.high}, g, false});
    return true;
  }
  Source source = Source::kMemory;
  if (saved == 0) {
    source = Source::kBusy;
    for (const StoppedThread& thread : threads) {
      if (stack.Holds(thread.sp, 1)) sp = thread.sp - kRedZone;
    }
  }
  if (sp == 0) {
    // It is preempted in a signal handler, whose frame on the signal stack has its registers, or it is being switched
    // to or from, and then one of that thread's registers points to its stack.
    for (const StoppedThread& thread : threads) {
      for (uintptr_t value : thread.registers) {
        if (stack.Holds(value, 1) && (sp == 0 || value - kRedZone < sp)) sp = value - kRedZone;
      }
      if (g->in_place && thread.state->m == g->bound && thread.on_signal_stack) {
        for (uintptr_t at = thread.sp & ~uintptr_t{7}; at < thread.signal_stack.high; at += 8) {
          const uintptr_t value = *reinterpret_cast<const uintptr_t*>(at);
          if (stack.Holds(value, 1) && (sp == 0 || value - kRedZone < sp)) sp = value - kRedZone;
        }
      }
    }
    if (sp == 0) return false;
  }
  live_frames_.Push({{std::max(sp, stack.low), stack.high}, source});
  return true;
}

void Reachability::AddStack(const Stack& stack) {
  excluded_.Push({AddressOf(stack.low), AddressOf(stack.top)});
}

void Reachability::ReadMappings(absl::Span<const StoppedThread> threads, uintptr_t own_frame) {
  Lines maps("/proc/self/maps");
  bool after_libc = false;
  StackRange last;
  while (const char* line = maps.Next()) {
    char* rest;
    StackRange range;
    range.low = std::strtoul(line, &rest, 16);
    range.high = std::strtoul(rest + 1, &rest, 16);
    const bool writable = rest[1] == 'r' && rest[2] == 'w';
    const char* name = std::strchr(rest, '/');
    const bool libc_file = name != nullptr && std::strstr(name, "/libc.so") != nullptr;
    // Its variables: the file's, and the nameless pages that follow them.
    const bool is_libc = libc_file || (after_libc && name == nullptr && range.low == last.high);
    after_libc = is_libc;
    last = range;
    if (!writable || std::strstr(rest, "[v") != nullptr) continue;
    // Below the stack pointers of threads that stand still is nothing. Of those that others have made, the stack may
    // begin anywhere in the mapping; gyre's own have a guard below theirs, and so has the process's first.
    const bool is_first = std::strstr(rest, "[stack]") != nullptr;
    const auto cut = [&](uintptr_t sp) {
      if (range.Holds(sp, 1)) excluded_.Push({range.low, sp - kRedZone});
    };
    for (const StoppedThread& thread : threads) {
      const Machine* m = thread.state->m;
      if (m == nullptr && !is_first) continue;
      cut(thread.sp);
      if (m == nullptr) continue;
      // A machine's own stack, while it sleeps or a goroutine runs in its place, holds the runtime's frames and nothing
      // that a goroutine could still be woken by; but it holds what goroutines have left in registers.
      uintptr_t frame = Sleeps(thread) ? thread.fp : 0;
      if (void* context = m->system.context.load(std::memory_order_relaxed)) {
        frame = AddressOf(ResumptionOf(&m->system, context).frame);
      }
      if (range.Holds(frame, 16)) excluded_.Push({range.low, EndOfFrames(frame, range)});
    }
    cut(own_frame);
    AddMapping(range, std::strstr(rest, "[heap]") != nullptr, is_libc);
  }
}

// Takes heaps out of the mapping: what is in them is scanned when it is reached.
void Reachability::AddMapping(StackRange range, bool is_heap, bool is_libc) {
  if (is_heap) {
    if (uintptr_t end = heap_.AddMain(range.low, range.high)) range.low = end;
  }
  constexpr uintptr_t kStep = HeapBlocks::kArenaAlignment;
  for (uintptr_t at = (range.low + kStep - 1) / kStep * kStep; at < range.high && !is_libc; at += kStep) {
    const uintptr_t end = heap_.AddArena(at, std::min(range.high, at + kStep));
    if (end == 0) continue;
    if (at > range.low) regions_.Push({{range.low, at}, Source::kMemory});
    range.low = end;
  }
  if (range.low < range.high) regions_.Push({range, is_libc ? Source::kLibc : Source::kMemory});
}

void Reachability::Search(absl::Span<const StoppedThread> threads, uintptr_t own_frame) {
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.frames.low < b.frames.low; });
  pagemap_ = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  for (const StoppedThread& thread : threads) {
    const StackRange& stack = thread.signal_stack;
    if (stack.high == 0) continue;
    // The signal stack of a thread that was inside a handler already is in use from there up; any other holds old
    // frames.
    excluded_.Push({stack.low, thread.on_signal_stack ? thread.sp - kRedZone : stack.high});
  }
  for (const StackRange& memory : {candidates_.Range(), live_frames_.Range(), excluded_.Range(), regions_.Range(),
                                   work_.Range(), heap_.Memory()}) {
    excluded_.Push(memory);
  }
  ReadMappings(threads, own_frame);
  MergeExcluded();

  for (const StoppedThread& thread : threads) ScanThread(thread);
  for (const Region& frames : live_frames_) Scan(frames.range, frames.source);
  for (const Region& region : regions_) ScanRegion(region);
  Drain();
  if (pagemap_ >= 0) close(pagemap_);
}

void Reachability::MergeExcluded() {
  std::sort(excluded_.begin(), excluded_.end(), [](const StackRange& a, const StackRange& b) { return a.low < b.low; });
  size_t kept = 0;
  for (size_t i = 0; i < excluded_.size(); ++i) {
    if (kept != 0 && excluded_[i].low <= excluded_[kept - 1].high) {
      excluded_[kept - 1].high = std::max(excluded_[kept - 1].high, excluded_[i].high);
    } else {
      excluded_[kept++] = excluded_[i];
    }
  }
  while (excluded_.size() > kept) excluded_.Pop();
}

// Its registers, and the near part of its own stack. (All of it is in a mapping. A goroutine's stack is among
// live_frames_.)
void Reachability::ScanThread(const StoppedThread& thread) {
  if (Sleeps(thread)) return;
  constexpr Source source = Source::kBusy;
  for (uintptr_t value : thread.registers) Follow(value, source);
  constexpr uintptr_t kNear = 16 * kPage;
  for (const StackRange& range : excluded_) {
    if (range.Holds(thread.sp, 1)) return;
  }
  for (const Region& region : regions_) {
    if (region.range.Holds(thread.sp, 1)) ScanCopy({thread.sp, std::min(region.range.high, thread.sp + kNear)}, source);
  }
}

void Reachability::ScanRegion(const Region& region) {
  uintptr_t at = region.range.low;
  const StackRange* next = std::upper_bound(excluded_.begin(), excluded_.end(), at,
                                            [](uintptr_t low, const StackRange& range) { return low < range.low; });
  if (next != excluded_.begin()) at = std::max(at, (next - 1)->high);
  while (at < region.range.high) {
    const bool last = next == excluded_.end() || next->low >= region.range.high;
    ScanTouched({at, last ? region.range.high : next->low}, region.source);
    if (last) return;
    at = next++->high;
  }
}

void Reachability::ScanTouched(StackRange range, Source source) {
  constexpr uintptr_t kSmall = 64 * kPage;
  constexpr uint64_t kPresent = uint64_t{1} << 63, kSwapped = uint64_t{1} << 62;
  if (range.high - range.low < kSmall || pagemap_ < 0) return ScanCopy(range, source);
  uint64_t entries[512];
  for (uintptr_t page = range.low / kPage; page * kPage < range.high;) {
    const uintptr_t wanted = std::min<uintptr_t>(512, (range.high + kPage - 1) / kPage - page);
    const ssize_t n = pread(pagemap_, entries, wanted * 8, static_cast<off_t>(page * 8));
    const uintptr_t pages = n > 0 ? static_cast<uintptr_t>(n) / 8 : 0;
    if (pages == 0) return ScanCopy({std::max(range.low, page * kPage), range.high}, source);
    for (uintptr_t i = 0; i < pages; ++i, ++page) {
      if ((entries[i] & (kPresent | kSwapped)) == 0) continue;
      ScanCopy({std::max(range.low, page * kPage), std::min(range.high, (page + 1) * kPage)}, source);
    }
  }
}

// Through the kernel, a page at a time: a page of a mapping that may be read may be a guard all the same
// (MADV_GUARD_INSTALL), and holds nothing then.
void Reachability::ScanCopy(StackRange range, Source source) {
  uintptr_t words[kPage / 8];
  const pid_t self = getpid();
  for (uintptr_t at = (range.low + 7) & ~uintptr_t{7}; at + 8 <= range.high;) {
    const uintptr_t end = std::min(range.high, (at / kPage + 1) * kPage);
    const size_t bytes = (end - at) & ~size_t{7};
    iovec here{words, bytes}, there{reinterpret_cast<void*>(at), bytes};
    if (process_vm_readv(self, &here, 1, &there, 1, 0) == static_cast<ssize_t>(bytes)) {
      for (size_t i = 0; i < bytes / 8; ++i) Follow(words[i], source);
    }
    at = (end + 7) & ~uintptr_t{7};
  }
}

[[gnu::no_sanitize_address]] void Reachability::Scan(StackRange range, Source source) {
  for (uintptr_t at = (range.low + 7) & ~uintptr_t{7}; at + 8 <= range.high; at += 8) {
    Follow(*reinterpret_cast<const uintptr_t*>(at), source);
  }
}

Reachability::Candidate* Reachability::FindCandidate(uintptr_t address, Source source) {
  Candidate* after = std::upper_bound(candidates_.begin(), candidates_.end(), address,
                                      [](uintptr_t at, const Candidate& c) { return at < c.frames.low; });
  if (after == candidates_.begin()) return nullptr;
  Candidate* candidate = after - 1;
  StackRange range = candidate->frames;
  if (source == Source::kBusy) range.high += sizeof(G);
  return range.Holds(address, 1) ? candidate : nullptr;
}

void Reachability::Follow(uintptr_t word, Source source) {
  if (word < kPage || word >> 47 != 0) return;
  bool is_header;
  if (HeapBlock* block = heap_.Find(word, &is_header)) {
    // malloc's own lists of free chunks hold the addresses of headers, which are the last words of the blocks before
    // them.
    if (block->reached || (is_header && source == Source::kLibc)) return;
    block->reached = true;
    if (!HeapBlocks::IsThreadCache(*block)) work_.Push({block->start(), block->end()});
    return;
  }
  if (Candidate* candidate = FindCandidate(word, source); candidate != nullptr && !candidate->reached) {
    candidate->reached = true;
    work_.Push(candidate->frames);
  }
}

void Reachability::Drain() {
  while (!work_.empty()) {
    const StackRange range = work_.back();
    work_.Pop();
    Scan(range, Source::kMemory);
  }
}

}  // namespace gyre::internal
