// What the runtime calls where somebody watches: a policy that wants times or has hooks, virtual time, a trace. The hot paths have
// one branch for all of them (Core::watched).
#include "runtime/core.h"
#include "runtime/foreign.h"
#include "runtime/trace/recorder.h"

namespace gyre::internal {

#if !defined(GYRE_NO_TRACE)
// Who sees the bit set (sequentially consistent in the recorder) sees the recorder too.
TraceRecorder* Core::Tracer() {
  return (watchers_.load(std::memory_order_acquire) & kWatchTrace) != 0 ? tracer_.get() : nullptr;
}
#endif

void Core::Watch(Watcher who, bool on) {
  // Called by one thread at a time: at the start, and for the one recording that there may be.
  if (on) {
    for (ProcId id = 0; id < procs_made_; ++id) {
      procs_[id].attention.fetch_or(kAttentionWatch, std::memory_order_seq_cst);
    }
    watchers_.fetch_or(who, std::memory_order_seq_cst);
    return;
  }
  if (watchers_.fetch_and(~static_cast<uint32_t>(who), std::memory_order_seq_cst) != who) return;
  for (ProcId id = 0; id < procs_made_; ++id) {
    procs_[id].attention.fetch_and(~static_cast<uint32_t>(kAttentionWatch), std::memory_order_seq_cst);
  }
}

void Core::WatchSpawn(Processor* p, G* g) {
  if (p != nullptr && timed_) NoteRunnable(p->context, g);
  if (TraceRecorder* tracer = Tracer()) tracer->GoCreate(p, g);
  if (!policy_traits_.wants_task_hooks) return;
  if (p != nullptr) {
    policy_->TaskCreated(p->context, *g);
  } else {
    PolicyGate gate(this);
    policy_->TaskCreated(ForeignContext(), *g);
  }
}

void Core::WatchDispatch(Processor* p, G* g) {
  if (timed_) {
    if (virtual_) {
      --runnable_;
      engine_->Dispatching(p->context.id, *g);
    }
    p->dispatched_at = p->context.now = engine_->Now();
    p->latencies.Add(p->dispatched_at - g->ready_at);
  }
  if (TraceRecorder* tracer = Tracer()) tracer->GoStart(p, g);
}

void Core::WatchYield(Processor* p, G* g, EnqueueReason why) {
  if (timed_) {
    AccountRun(p, g);
    NoteRunnable(p->context, g);
    p->dispatched_at = p->context.now;
  }
  if (TraceRecorder* tracer = Tracer()) {
    tracer->GoYield(p, g, why == EnqueueReason::kPreempted, /*in_signal_handler=*/false);
  }
}

void Core::WatchBlock(Processor* p, G* g) {
  if (timed_) AccountRun(p, g);
  if (TraceRecorder* tracer = Tracer()) tracer->GoBlock(p, g, g->wait_reason.load(std::memory_order_relaxed));
  if (policy_traits_.wants_block_hook) policy_->TaskBlocked(p->context, *g);
}

void Core::WatchReady(Processor* p, G* g) {
  if (p != nullptr && timed_) NoteRunnable(p->context, g);
  if (TraceRecorder* tracer = Tracer()) tracer->GoUnblock(p, g);
}

void Core::WatchExit(Processor* p, G* g) {
  if (timed_) AccountRun(p, g);
  if (TraceRecorder* tracer = Tracer()) tracer->GoEnd(p, g);
  if (policy_traits_.wants_task_hooks) policy_->TaskExited(p->context, *g);
}

}  // namespace gyre::internal
