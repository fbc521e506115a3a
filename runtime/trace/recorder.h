// Records what a runtime's goroutines do, in the Go trace format v1 (events.h). One recorder for each runtime that was
// ever traced; the runtime calls it (hooks.cc) while Core's watch word has kWatchTrace, and not at all otherwise.
//
// Each processor has a buffer, which only its holder writes: no lock. A full buffer goes to the file, or to a list.
// Threads without a processor share one buffer under a lock.
//
// When recording begins nothing stops. A goroutine that exists already is introduced at its first event, from which it
// follows what it was doing when recording began; a processor likewise.
//
// Invariants
//  1. The events of one goroutine, and those of one processor, are a chain of happens-before: each follows from the one
//     before. The watch word is one atomic object, and two reads of it that are ordered see its values in order. So
//     along each chain recording is off, then on, then off, and what is recorded is whole: no event lacks one that it
//     follows from.
//  2. A buffer is written between `writing` = 1 and `writing` = 0, and only if the watch word still says so in between.
//  End
//     clears the word and then waits for each `writing` = 0: the exchange and the loads are sequentially consistent, so
//     either the writer sees the cleared word or End sees the writer.
//  3. An event that makes a goroutine runnable is written before others may find it, one that begins to run it after it
//  was
//     taken: times follow causality (the clock is one for all CPUs).
//  4. G::trace_seq is written by whoever may change the goroutine's state, G::trace_generation too.
#ifndef GYRE_RUNTIME_TRACE_RECORDER_H_
#define GYRE_RUNTIME_TRACE_RECORDER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "plugins/config.h"
#include "plugins/task.h"
#include "runtime/goroutine.h"
#include "runtime/machine.h"
#include "runtime/raw_lock.h"
#include "runtime/trace/events.h"
#include "runtime/trace/intern.h"

namespace gyre::internal {

class TraceRecorder {
 public:
  explicit TraceRecorder(Core* core);
  ~TraceRecorder();

  // ---- start and stop: one thread at a time ----
  // `file`: a descriptor that takes the trace as it grows, and is the recorder's until End; -1: the trace stays in
  // memory.
  absl::Status Begin(int file);
  bool recording() const { return generation_ != 0; }
  // Ends, and completes the file, or puts the trace into `text`. An error: something could not be written, and the
  // trace is not whole. `dying`: the process ends, and a thread that does not come out of its event within a moment is
  // not waited for.
  absl::Status End(std::string* text, bool dying = false);

  // ---- events: by the holder of `p`, or with null by a thread that has no processor; preemption is off ----
  void GoCreate(Processor* p, G* created);
  void GoStart(Processor* p, G* g);
  void GoEnd(Processor* p, G* g);
  void GoYield(Processor* p, G* g, bool preempted, bool in_signal_handler);
  void GoBlock(Processor* p, G* g, WaitReason reason);
  void GoUnblock(Processor* p, G* g);
  void SysCall(Processor* p, G* g);
  void SysBlock(Processor* p, G* g);  // by the monitor, which has just taken `p` from g's call
  void SysExit(Processor* p, G* g);   // of a call that lost its processor
  void ProcStart(Processor* p, const Machine* m);
  void ProcStop(Processor* p);

  // ---- what users say (trace.h); by the running goroutine ----
  void TaskBegin(Processor* p, G* g, uint64_t task, uint64_t parent, absl::string_view type);
  void TaskEnd(Processor* p, G* g, uint64_t task);
  void Region(Processor* p, G* g, uint64_t task, bool begins, absl::string_view type);
  void Log(Processor* p, G* g, uint64_t task, absl::string_view category, absl::string_view message);

  // What a stack in the table is.
  enum StackKind : uint32_t {
    kReturnAddresses,
    kEntry,       // one address: the function that a goroutine begins with
    kNamedEntry,  // that, and the number of the goroutine's name
  };

 private:
  static constexpr size_t kChunk = 64 * 1024;
  static constexpr size_t kMostOfAnEvent = 64;    // bytes, without a log's text
  static constexpr size_t kMostOfAString = 1024;  // what is longer is cut
  static constexpr int kMaxFrames = 32;
  static constexpr uint64_t kEarliest =
      1000;  // ticks at which virtual time begins: what comes first needs a little room

  struct ChunkHead {
    ChunkHead* next;
    uint32_t bytes;
    uint32_t reserved;
  };

  struct alignas(128) Buffer {
    std::atomic<uint32_t> writing{0};  // see invariant 2
    uint32_t generation = 0;           // of the recording that the rest belongs to
    bool fresh = false;                // nothing has been said of this processor yet
    bool started = false;              // a ProcStart without its ProcStop
    bool in_call = false;              // the current goroutine's last event was a SysCall
    int64_t pid = trace::kNoProcessor;
    uint64_t current = 0;  // the goroutine that runs here, by the events; 0: none
    uint64_t last = 0;     // ticks of the last event
    uint8_t* chunk = nullptr;
    size_t used = 0;  // bytes of the chunk
  };

  // A goroutine that was there when recording began.
  enum class Found : uint8_t { kRunnable, kRunning, kWaiting, kInCall };
  struct Introduction {
    Introduction* next;
    uint64_t id;
    uint32_t entry;
    Found found;
  };

  class Writing;

  uint64_t Ticks();
  void PrepareBuffer(Buffer& b);
  // Before an event of `p`, on which `running` (null: nothing) was.
  void Ensure(Buffer& b, const Processor* p, G* running) {
    if (b.fresh) [[unlikely]]
      Continue(b, p, running);
  }
  void Continue(Buffer& b, const Processor* p, G* running);
  void Introduce(G* g, Found found);
  uint64_t ThreadOf(const Machine* m) const;
  uint32_t EntryOf(const G* g);
  uint32_t StackOf(const G* g);
  uint32_t StringOf(absl::string_view text);
  template <typename... Numbers>
  void Put(Buffer& b, trace::EventType type, Numbers... numbers);
  template <typename... Numbers>
  void PutAt(Buffer& b, uint64_t ticks, trace::EventType type, Numbers... numbers);
  void Reserve(Buffer& b, size_t bytes);
  void Flush(Buffer& b);
  void Fail(int error);
  bool WriteAll(const void* data, size_t bytes);
  void FreeChunks() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sink_lock_);
  void AwaitWriters(bool dying);
  void Close(Buffer& b);

  // assemble.cc: what can be written only when the recording has ended.
  static std::string Beginning();
  std::string Assemble();
  void AppendIntroductions(std::string* text);
  void AppendTables(std::string* text);

  Core* const core_;
  static constexpr int kProcs = Config::kMaxProcs;  // their number may change while a trace is recorded
  std::unique_ptr<Buffer[]> buffers_;  // of the processors
  RawLock shared_lock_;
  Buffer shared_ ABSL_GUARDED_BY(shared_lock_);

  uint32_t generation_ = 0;  // of this recording; 0: there is none
  uint64_t begin_ = 0;       // ticks
  int file_ = -1;
  std::atomic<int> error_{0};

  RawLock sink_lock_;
  ChunkHead* chunks_ ABSL_GUARDED_BY(sink_lock_) = nullptr;  // full ones, the first first
  ChunkHead** last_chunk_ ABSL_GUARDED_BY(sink_lock_) = &chunks_;

  RawLock introductions_lock_;
  std::unique_ptr<MapArena> introductions_arena_ ABSL_GUARDED_BY(introductions_lock_);
  Introduction* introductions_ ABSL_GUARDED_BY(introductions_lock_) = nullptr;

  std::unique_ptr<InternTable> stacks_;
  std::unique_ptr<InternTable> strings_;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_TRACE_RECORDER_H_
