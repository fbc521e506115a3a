// Why a goroutine waits, with the names that Go's dumps use.
#ifndef GYRE_RUNTIME_WAIT_REASON_H_
#define GYRE_RUNTIME_WAIT_REASON_H_

#include <cstdint>

namespace gyre {

enum class WaitReason : uint8_t {
  kNone,
  kChanReceive,
  kChanSend,
  kChanReceiveNil,
  kChanSendNil,
  kSelect,
  kSelectNoCases,
  kSleep,
  kCondWait,
  kMutexLock,
  kRWMutexRLock,
  kRWMutexLock,
  kWaitGroupWait,
  kSemacquire,
  kIOWait,
  kOthers,
};

constexpr const char* WaitReasonName(WaitReason reason) {
  switch (reason) {
    case WaitReason::kNone: return "";
    case WaitReason::kChanReceive: return "chan receive";
    case WaitReason::kChanSend: return "chan send";
    case WaitReason::kChanReceiveNil: return "chan receive (nil chan)";
    case WaitReason::kChanSendNil: return "chan send (nil chan)";
    case WaitReason::kSelect: return "select";
    case WaitReason::kSelectNoCases: return "select (no cases)";
    case WaitReason::kSleep: return "sleep";
    case WaitReason::kCondWait: return "sync.Cond.Wait";
    case WaitReason::kMutexLock: return "sync.Mutex.Lock";
    case WaitReason::kRWMutexRLock: return "sync.RWMutex.RLock";
    case WaitReason::kRWMutexLock: return "sync.RWMutex.Lock";
    case WaitReason::kWaitGroupWait: return "sync.WaitGroup.Wait";
    case WaitReason::kSemacquire: return "semacquire";
    case WaitReason::kIOWait: return "IO wait";
    case WaitReason::kOthers: return "simulation wait";
  }
  return "unknown";
}

}  // namespace gyre

#endif  // GYRE_RUNTIME_WAIT_REASON_H_
