// The Go execution trace, format v1 ("go 1.19 trace"): the events, and how numbers are written. What a trace's
// recorder, reader, checker and converters share; it knows nothing of the runtime.
//
// A file is a header of 16 bytes and batches. A batch is what happened on one processor, in order; an event says what
// happened, after how many ticks since the one before, and a few numbers. Numbers are LEB128: seven bits a byte, low
// bits first, the top bit set in all bytes but the last.
#ifndef GYRE_RUNTIME_TRACE_EVENTS_H_
#define GYRE_RUNTIME_TRACE_EVENTS_H_

#include <cstddef>
#include <cstdint>

namespace gyre::trace {

enum class EventType : uint8_t {
  kNone = 0,
  kBatch = 1,
  kFrequency = 2,
  kStack = 3,
  kGomaxprocs = 4,
  kProcStart = 5,
  kProcStop = 6,
  kGCStart = 7,
  kGCDone = 8,
  kSTWStart = 9,
  kSTWDone = 10,
  kGCSweepStart = 11,
  kGCSweepDone = 12,
  kGoCreate = 13,
  kGoStart = 14,
  kGoEnd = 15,
  kGoStop = 16,
  kGoSched = 17,
  kGoPreempt = 18,
  kGoSleep = 19,
  kGoBlock = 20,
  kGoUnblock = 21,
  kGoBlockSend = 22,
  kGoBlockRecv = 23,
  kGoBlockSelect = 24,
  kGoBlockSync = 25,
  kGoBlockCond = 26,
  kGoBlockNet = 27,
  kGoSysCall = 28,
  kGoSysExit = 29,
  kGoSysBlock = 30,
  kGoWaiting = 31,
  kGoInSyscall = 32,
  kHeapAlloc = 33,
  kHeapGoal = 34,
  kTimerGoroutine = 35,
  kFutileWakeup = 36,
  kString = 37,
  kGoStartLocal = 38,
  kGoUnblockLocal = 39,
  kGoSysExitLocal = 40,
  kGoStartLabel = 41,
  kGoBlockGC = 42,
  kGCMarkAssistStart = 43,
  kGCMarkAssistDone = 44,
  kUserTaskCreate = 45,
  kUserTaskEnd = 46,
  kUserRegion = 47,
  kUserLog = 48,
  kCPUSample = 49,
};
inline constexpr int kEventTypes = 50;

struct EventInfo {
  const char* name;
  int arguments;   // numbers after the time, the stack not counted; -1: the event has a layout of its own
  bool has_stack;  // the last number is a stack's id
  bool has_time;
};

inline constexpr EventInfo kEventInfos[kEventTypes] = {
    {"None", -1, false, false},
    {"Batch", 2, false, false},
    {"Frequency", 1, false, false},
    {"Stack", -1, false, false},
    {"Gomaxprocs", 1, true, true},
    {"ProcStart", 1, false, true},
    {"ProcStop", 0, false, true},
    {"GCStart", 1, true, true},
    {"GCDone", 0, false, true},
    {"STWStart", 1, false, true},
    {"STWDone", 0, false, true},
    {"GCSweepStart", 0, true, true},
    {"GCSweepDone", 2, false, true},
    {"GoCreate", 2, true, true},
    {"GoStart", 2, false, true},
    {"GoEnd", 0, false, true},
    {"GoStop", 0, true, true},
    {"GoSched", 0, true, true},
    {"GoPreempt", 0, true, true},
    {"GoSleep", 0, true, true},
    {"GoBlock", 0, true, true},
    {"GoUnblock", 2, true, true},
    {"GoBlockSend", 0, true, true},
    {"GoBlockRecv", 0, true, true},
    {"GoBlockSelect", 0, true, true},
    {"GoBlockSync", 0, true, true},
    {"GoBlockCond", 0, true, true},
    {"GoBlockNet", 0, true, true},
    {"GoSysCall", 0, true, true},
    {"GoSysExit", 3, false, true},
    {"GoSysBlock", 0, false, true},
    {"GoWaiting", 1, false, true},
    {"GoInSyscall", 1, false, true},
    {"HeapAlloc", 1, false, true},
    {"HeapGoal", 1, false, true},
    {"TimerGoroutine", 1, false, false},
    {"FutileWakeup", 0, false, true},
    {"String", -1, false, false},
    {"GoStartLocal", 1, false, true},
    {"GoUnblockLocal", 1, true, true},
    {"GoSysExitLocal", 2, false, true},
    {"GoStartLabel", 3, false, true},
    {"GoBlockGC", 0, true, true},
    {"GCMarkAssistStart", 0, true, true},
    {"GCMarkAssistDone", 0, false, true},
    {"UserTaskCreate", 3, true, true},
    {"UserTaskEnd", 1, true, true},
    {"UserRegion", 3, true, true},
    {"UserLog", 2, true, true},
    {"CPUSample", 3, true, true},
};

constexpr const EventInfo& InfoOf(EventType type) {
  return kEventInfos[static_cast<int>(type)];
}

inline constexpr size_t kHeaderBytes = 16;
inline constexpr char kHeader[kHeaderBytes + 1] = "go 1.19 trace\0\0\0";

// The batch of what happened on no processor.
inline constexpr int64_t kNoProcessor = -1;

inline constexpr size_t kMaxNumberBytes = 10;

// Writes `value` at `to`; returns the byte after it.
inline uint8_t* PutNumber(uint8_t* to, uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<uint8_t>(value) | 0x80;
    value >>= 7;
  }
  *to++ = static_cast<uint8_t>(value);
  return to;
}

// The first byte of an event with `numbers` numbers after the time: three stands for three and more, which a length in
// bytes precedes.
constexpr uint8_t EventHead(EventType type, int numbers) {
  return static_cast<uint8_t>(static_cast<int>(type) | (numbers < 3 ? numbers : 3) << 6);
}

}  // namespace gyre::trace

#endif  // GYRE_RUNTIME_TRACE_EVENTS_H_
