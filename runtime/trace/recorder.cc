#include "runtime/trace/recorder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/park.h"

namespace gyre::internal {

using trace::EventType;
using trace::PutNumber;

namespace {

// Process-wide, so that a control block in recycled memory never seems to have been seen.
std::atomic<uint32_t> generations{0};

// The goroutine whose event this is: the one that runs on the calling thread's processor, if it is not a scheduler.
G* Running(const Processor* p) {
  if (p == nullptr) return nullptr;
  G* g = This().g;
  return g->kind == GKind::kGoroutine && g->state.load(std::memory_order_relaxed) == GState::kRunning ? g : nullptr;
}

EventType BlockEvent(WaitReason reason) {
  switch (reason) {
    case WaitReason::kChanReceive:
      return EventType::kGoBlockRecv;
    case WaitReason::kChanSend:
      return EventType::kGoBlockSend;
    case WaitReason::kSelect:
      return EventType::kGoBlockSelect;
    case WaitReason::kChanReceiveNil:
    case WaitReason::kChanSendNil:
    case WaitReason::kSelectNoCases:
      return EventType::kGoStop;  // for ever
    case WaitReason::kSleep:
      return EventType::kGoSleep;
    case WaitReason::kCondWait:
      return EventType::kGoBlockCond;
    case WaitReason::kMutexLock:
    case WaitReason::kRWMutexRLock:
    case WaitReason::kRWMutexLock:
    case WaitReason::kWaitGroupWait:
    case WaitReason::kSemacquire:
      return EventType::kGoBlockSync;
    case WaitReason::kIOWait:
      return EventType::kGoBlockNet;
    default:
      return EventType::kGoBlock;
  }
}

}  // namespace

// One event's right to a buffer. Preemption is off for its time.
class TraceRecorder::Writing {
 public:
  Writing(TraceRecorder& recorder, Processor* p) ABSL_NO_THREAD_SAFETY_ANALYSIS
      : recorder_(recorder),
        buffer_(p != nullptr ? recorder.buffers_[p->context.id] : recorder.shared_),
        shared_(p == nullptr) {
    if (shared_) recorder_.shared_lock_.Lock();
    buffer_.writing.exchange(1, std::memory_order_seq_cst);
    on_ = recorder_.core_->Watches(kWatchTrace);
    if (!on_) return;
    if (buffer_.generation != recorder_.generation_) [[unlikely]]
      recorder_.PrepareBuffer(buffer_);
  }
  ~Writing() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    // Release: End reads what was written.
    buffer_.writing.store(0, std::memory_order_release);
    if (shared_) recorder_.shared_lock_.Unlock();
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

  explicit operator bool() const { return on_; }
  Buffer& operator*() { return buffer_; }

 private:
  TraceRecorder& recorder_;
  Buffer& buffer_;
  const bool shared_;
  bool on_;
};

TraceRecorder::TraceRecorder(Core* core)
    : core_(core), buffers_(std::make_unique<Buffer[]>(kProcs)) {
  for (int id = 0; id < kProcs; ++id) buffers_[id].pid = id;
}

TraceRecorder::~TraceRecorder() {
  for (int id = 0; id < kProcs; ++id) UnmapMemory(buffers_[id].chunk, kChunk);
  RawLockHolder hold_shared(shared_lock_);
  UnmapMemory(shared_.chunk, kChunk);
  RawLockHolder hold(sink_lock_);
  FreeChunks();
  if (file_ >= 0) close(file_);
}

// ---- writing ----

uint64_t TraceRecorder::Ticks() {
  return kEarliest + static_cast<uint64_t>(core_->Now());
}

void TraceRecorder::PrepareBuffer(Buffer& b) {
  b.generation = generation_;
  b.fresh = true;
  b.started = false;
  b.in_call = false;
  b.current = 0;
  b.used = 0;
  b.last = begin_ + 1;  // after all introductions
}

void TraceRecorder::Reserve(Buffer& b, size_t bytes) {
  if (b.chunk != nullptr && b.used + bytes <= kChunk) [[likely]]
    return;
  Flush(b);
  if (b.chunk == nullptr && (b.chunk = static_cast<uint8_t*>(MapMemory(kChunk))) == nullptr) {
    Fail(ENOMEM);
    return;
  }
  uint8_t* at = b.chunk + sizeof(ChunkHead);
  *at++ = trace::EventHead(EventType::kBatch, 1);
  at = PutNumber(at, static_cast<uint64_t>(b.pid));
  at = PutNumber(at, b.last);
  b.used = static_cast<size_t>(at - b.chunk);
}

template <typename... Numbers>
void TraceRecorder::Put(Buffer& b, EventType type, Numbers... numbers) {
  PutAt(b, Ticks(), type, numbers...);
}

template <typename... Numbers>
void TraceRecorder::PutAt(Buffer& b, uint64_t ticks, EventType type, Numbers... numbers) {
  constexpr int kNumbers = sizeof...(numbers);
  Reserve(b, kMostOfAnEvent);
  if (b.chunk == nullptr) [[unlikely]]
    return;
  const uint64_t now = std::max(ticks, b.last);
  uint8_t* at = b.chunk + b.used;
  *at++ = trace::EventHead(type, kNumbers);
  uint8_t* const length = at;
  if constexpr (kNumbers >= 3) ++at;  // five numbers have 50 bytes at most: the length is one
  at = PutNumber(at, now - b.last);
  ((at = PutNumber(at, static_cast<uint64_t>(numbers))), ...);
  if constexpr (kNumbers >= 3) *length = static_cast<uint8_t>(at - length - 1);
  b.last = now;
  b.used = static_cast<size_t>(at - b.chunk);
}

void TraceRecorder::Flush(Buffer& b) {
  if (b.chunk == nullptr || b.used <= sizeof(ChunkHead)) return;
  RawLockHolder hold(sink_lock_);
  auto* head = new (b.chunk) ChunkHead{nullptr, static_cast<uint32_t>(b.used - sizeof(ChunkHead)), 0};
  b.used = 0;
  // What happened on no processor stays here until the introductions, which come first, are known.
  if (file_ >= 0 && b.pid != trace::kNoProcessor) {
    if (!WriteAll(head + 1, head->bytes)) Fail(errno);
    return;
  }
  *last_chunk_ = head;
  last_chunk_ = &head->next;
  b.chunk = nullptr;
}

bool TraceRecorder::WriteAll(const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = write(file_, at, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    bytes -= static_cast<size_t>(written);
  }
  return true;
}

// A trace with a hole is worth nothing: recording goes off.
void TraceRecorder::Fail(int error) {
  error_.store(error, std::memory_order_relaxed);
  core_->Watch(kWatchTrace, false);
}

void TraceRecorder::FreeChunks() {
  while (chunks_ != nullptr) {
    ChunkHead* next = chunks_->next;
    UnmapMemory(chunks_, kChunk);
    chunks_ = next;
  }
  last_chunk_ = &chunks_;
}

// ---- what was there when recording began ----

void TraceRecorder::Introduce(G* g, Found found) {
  g->trace_generation = generation_;
  // As many as the events of the introduction have used.
  g->trace_seq = found == Found::kRunnable ? 0 : 1;
  const uint32_t entry = EntryOf(g);
  RawLockHolder hold(introductions_lock_);
  auto* one = static_cast<Introduction*>(introductions_arena_->Allocate(sizeof(Introduction)));
  if (one == nullptr) {
    Fail(ENOMEM);
    return;
  }
  *one = {introductions_, g->id, entry, found};
  introductions_ = one;
}

// The first event of `b`: its processor was held by `m`, and `running` (null: nothing) was on it.
void TraceRecorder::Continue(Buffer& b, const Processor* p, G* running) {
  const Machine* m = p->m.load(std::memory_order_relaxed);
  PutAt(b, b.last, EventType::kProcStart, ThreadOf(m));
  b.fresh = false;
  b.started = true;
  if (running == nullptr) return;
  if (running->trace_generation != generation_) {
    Introduce(running, Found::kRunning);
    PutAt(b, b.last, EventType::kGoStart, running->id, uint64_t{1});
  } else {
    // Another processor has seen it made or readied, and this one began to run it after a look, just before the recording
    // began, that told it that nobody watches.
    Put(b, EventType::kGoStart, running->id, ++running->trace_seq);
  }
  b.current = running->id;
}

uint64_t TraceRecorder::ThreadOf(const Machine* m) const {
  if (core_->is_virtual()) return m != nullptr && m->p != nullptr ? static_cast<uint64_t>(m->p->context.id) + 1 : 0;
  return m != nullptr ? static_cast<uint64_t>(m->tid.load(std::memory_order_relaxed)) : 0;
}

uint32_t TraceRecorder::EntryOf(const G* g) {
  if (g->name != nullptr) {
    const uintptr_t words[2] = {StringOf(g->name), reinterpret_cast<uintptr_t>(g->run)};
    return stacks_->Intern(kNamedEntry, words, sizeof(words));
  }
  const uintptr_t word = reinterpret_cast<uintptr_t>(g->run);
  return stacks_->Intern(kEntry, &word, sizeof(word));
}

uint32_t TraceRecorder::StringOf(absl::string_view text) {
  // The format has no empty string.
  if (text.empty()) text = " ";
  return strings_->Intern(0, text.data(), std::min(text.size(), kMostOfAString));
}

// The return addresses of the calling goroutine, by its frame pointers. Code that was compiled without them leaves
// anything in the register, so a frame must lie above the one before, inside the stack.
[[gnu::noinline]] uint32_t TraceRecorder::StackOf(const G* g) {
  if (g == nullptr) return 0;
  void* frames[kMaxFrames];
  int count = 0;
  char* const top = g->stack.top;
  char* frame = static_cast<char*>(__builtin_frame_address(0));
  char* below = frame - 1;
  while (count < kMaxFrames && frame > below && frame + 16 <= top && reinterpret_cast<uintptr_t>(frame) % 8 == 0) {
    void* return_address = reinterpret_cast<void**>(frame)[1];
    if (return_address == nullptr) break;
    frames[count++] = return_address;
    below = frame;
    frame = *reinterpret_cast<char**>(frame);
  }
  return stacks_->Intern(kReturnAddresses, frames, static_cast<size_t>(count) * sizeof(void*));
}

// ---- events ----

void TraceRecorder::GoCreate(Processor* p, G* created) {
  Writing w(*this, p);
  if (!w) return;
  G* const g = Running(p);
  if (p != nullptr) Ensure(*w, p, g);
  created->trace_generation = generation_;
  created->trace_seq = 0;
  Put(*w, EventType::kGoCreate, created->id, EntryOf(created), StackOf(g));
}

void TraceRecorder::GoStart(Processor* p, G* g) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, nullptr);
  if (g->trace_generation != generation_) [[unlikely]]
    Introduce(g, Found::kRunnable);
  Put(*w, EventType::kGoStart, g->id, ++g->trace_seq);
  (*w).current = g->id;
  (*w).in_call = false;
}

void TraceRecorder::GoEnd(Processor* p, G* g) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, g);
  Put(*w, EventType::kGoEnd);
  (*w).current = 0;
}

void TraceRecorder::GoYield(Processor* p, G* g, bool preempted, bool in_signal_handler) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, g);
  Put(*w, preempted ? EventType::kGoPreempt : EventType::kGoSched, in_signal_handler ? 0 : StackOf(g));
  (*w).current = 0;
}

void TraceRecorder::GoBlock(Processor* p, G* g, WaitReason reason) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, g);
  Put(*w, BlockEvent(reason), StackOf(g));
  (*w).current = 0;
}

void TraceRecorder::GoUnblock(Processor* p, G* g) {
  Writing w(*this, p);
  if (!w) return;
  G* const by = Running(p);
  if (p != nullptr) Ensure(*w, p, by);
  if (g->trace_generation != generation_) [[unlikely]]
    Introduce(g, Found::kWaiting);
  Put(*w, EventType::kGoUnblock, g->id, ++g->trace_seq, StackOf(by));
}

void TraceRecorder::SysCall(Processor* p, G* g) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, g);
  Put(*w, EventType::kGoSysCall, StackOf(g));
  (*w).in_call = true;
}

void TraceRecorder::SysBlock(Processor* p, G* g) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, g);
  Put(*w, EventType::kGoSysBlock);
  Put(*w, EventType::kProcStop);
  (*w).current = 0;
  (*w).started = false;
  (*w).in_call = false;
}

void TraceRecorder::SysExit(Processor* p, G* g) {
  Writing w(*this, p);
  if (!w) return;
  if (p != nullptr) Ensure(*w, p, nullptr);
  if (g->trace_generation != generation_) [[unlikely]]
    Introduce(g, Found::kInCall);
  Put(*w, EventType::kGoSysExit, g->id, ++g->trace_seq, uint64_t{0});
}

void TraceRecorder::ProcStart(Processor* p, const Machine* m) {
  Writing w(*this, p);
  if (!w || (*w).started) return;
  (*w).fresh = false;
  Put(*w, EventType::kProcStart, ThreadOf(m));
  (*w).started = true;
}

void TraceRecorder::ProcStop(Processor* p) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, nullptr);
  Put(*w, EventType::kProcStop);
  (*w).started = false;
}

void TraceRecorder::TaskBegin(Processor* p, G* g, uint64_t task, uint64_t parent, absl::string_view type) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, g);
  Put(*w, EventType::kUserTaskCreate, task, parent, StringOf(type), StackOf(g));
}

void TraceRecorder::TaskEnd(Processor* p, G* g, uint64_t task) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, g);
  Put(*w, EventType::kUserTaskEnd, task, StackOf(g));
}

void TraceRecorder::Region(Processor* p, G* g, uint64_t task, bool begins, absl::string_view type) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, g);
  Put(*w, EventType::kUserRegion, task, begins ? 0 : 1, StringOf(type), StackOf(g));
}

void TraceRecorder::Log(Processor* p, G* g, uint64_t task, absl::string_view category, absl::string_view message) {
  Writing w(*this, p);
  if (!w) return;
  Ensure(*w, p, g);
  message = message.substr(0, kMostOfAString);
  Reserve(*w, 2 * kMostOfAnEvent + message.size());  // now, for the text follows its event
  Put(*w, EventType::kUserLog, task, StringOf(category), StackOf(g));
  Buffer& b = *w;
  if (b.chunk == nullptr) return;
  uint8_t* at = PutNumber(b.chunk + b.used, message.size());
  std::memcpy(at, message.data(), message.size());
  b.used = static_cast<size_t>(at - b.chunk) + message.size();
}

// ---- start and stop ----

absl::Status TraceRecorder::Begin(int file) {
  if (recording()) return absl::FailedPreconditionError("gyre::trace: this runtime is traced already");
  stacks_ = std::make_unique<InternTable>();
  strings_ = std::make_unique<InternTable>();
  {
    RawLockHolder hold(introductions_lock_);
    introductions_arena_ = std::make_unique<MapArena>();
    introductions_ = nullptr;
  }
  error_.store(0, std::memory_order_relaxed);
  file_ = file;
  begin_ = Ticks();
  generation_ = generations.fetch_add(1, std::memory_order_relaxed) + 1;
  if (file_ >= 0) {
    const std::string beginning = Beginning();
    if (!WriteAll(beginning.data(), beginning.size())) Fail(errno);
  }
  if (error_.load(std::memory_order_relaxed) == 0) core_->Watch(kWatchTrace, true);
  return absl::OkStatus();
}

absl::Status TraceRecorder::End(std::string* text, bool dying) {
  if (!recording()) return absl::FailedPreconditionError("gyre::trace: this runtime is not traced");
  core_->Watch(kWatchTrace, false);
  AwaitWriters(dying);
  for (int id = 0; id < kProcs; ++id) {
    Buffer& b = buffers_[id];
    if (b.generation != generation_) continue;
    Close(b);
    Flush(b);
  }
  {
    RawLockHolder hold(shared_lock_);
    if (shared_.generation == generation_) Flush(shared_);
  }
  int error = error_.load(std::memory_order_relaxed);
  if (error == 0) {
    std::string trace = Assemble();
    if (file_ < 0) {
      if (text != nullptr) *text = std::move(trace);
    } else if (!WriteAll(trace.data(), trace.size())) {
      error = errno;
    }
  }
  if (file_ >= 0 && close(file_) != 0 && error == 0) error = errno;
  file_ = -1;
  generation_ = 0;
  {
    RawLockHolder hold(sink_lock_);
    FreeChunks();
  }
  stacks_.reset();
  strings_.reset();
  if (error == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("gyre::trace: the trace is not whole: ",
                                          error == ENOMEM ? "there was no memory for it" : std::strerror(error)));
}

void TraceRecorder::AwaitWriters(bool dying) {
  constexpr int kPatience = 1000;  // rounds of about a microsecond and more
  auto await = [&](Buffer& b) {
    for (int round = 0; b.writing.load(std::memory_order_seq_cst) != 0; ++round) {
      if (dying && round == kPatience) return;
      core_->engine().Relax(round);
    }
  };
  for (int id = 0; id < kProcs; ++id) await(buffers_[id]);
}

// What runs now ran until now.
void TraceRecorder::Close(Buffer& b) {
  if (b.current != 0) {
    if (b.in_call) {
      Put(b, EventType::kGoSysBlock);
    } else {
      Put(b, EventType::kGoSched, 0);
    }
    b.current = 0;
  }
  if (b.started) Put(b, EventType::kProcStop);
  b.started = false;
}

}  // namespace gyre::internal
