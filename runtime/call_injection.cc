// Preemption by a call (Go's asynchronous preemption): the signal handler edits the saved program counter so that the goroutine,
// when the handler has returned, calls the scheduler as if its own code said so. It yields in ordinary context; nothing of
// the handler outlives it, and its thread goes on with others.
//
// Where that may be done
//   - the program counter is in the program's own text. In libc, libstdc++, the loader or any other shared object the code
//     may hold a lock that whole threads wait for;
//   - preemption is on: the runtime's own code, and whoever holds one of its locks, switches it off;
//   - the stack pointer is in the goroutine's stack, with room for its registers.
// Elsewhere the goroutine is let be, and asked again soon.
//
// The goroutine goes on on its own kernel thread, where its thread-locals are: whoever picks it passes it on (SendHome). That
// thread may be busy with others, who are then asked to give way. A goroutine that is about to keep the thread for itself
// (LockOSThread, Blocking) first leaves it to those who have no other (LeaveToReturners).
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <ucontext.h>

#include "runtime/core.h"
#include "runtime/park.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern "C" {
// The program's text, by the linker.
extern char __executable_start, etext;

// Of the processor's extended state: which parts the operating system has switched on, and how much room they need.
[[gnu::visibility("hidden")]] uint64_t gyre_xsave_mask = 0;
[[gnu::visibility("hidden")]] uint64_t gyre_xsave_size = 0;

[[gnu::visibility("hidden")]] void gyre_preempted_here();
[[gnu::used, gnu::visibility("hidden")]] void gyre_yield_preempted();
}

#if defined(__x86_64__)
// Entered with the interrupted program counter as its return address, 128 bytes below the interrupted stack pointer: what lies
// between is the red zone. Every register, the flags and the extended state come back as they were. Described for unwinders
// as a signal frame, whose return address is an instruction that has not been executed yet.
asm(R"(
  .pushsection .text.gyre_preempted_here, "ax", @progbits
  .globl gyre_preempted_here
  .hidden gyre_preempted_here
  .type gyre_preempted_here, @function
gyre_preempted_here:
  .cfi_startproc
  .cfi_signal_frame
  .cfi_def_cfa %rsp, 136
  .cfi_offset %rip, -136
  pushq %rbp
  .cfi_def_cfa_offset 144
  .cfi_offset %rbp, -144
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  pushfq
  cld
  pushq %rax
  pushq %rcx
  pushq %rdx
  pushq %rbx
  pushq %rsi
  pushq %rdi
  pushq %r8
  pushq %r9
  pushq %r10
  pushq %r11
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  subq gyre_xsave_size(%rip), %rsp
  andq $-64, %rsp
  xorl %eax, %eax
  movq %rax, 512(%rsp)
  movq %rax, 520(%rsp)
  movq %rax, 528(%rsp)
  movq %rax, 536(%rsp)
  movq %rax, 544(%rsp)
  movq %rax, 552(%rsp)
  movq %rax, 560(%rsp)
  movq %rax, 568(%rsp)
  movl gyre_xsave_mask(%rip), %eax
  movl gyre_xsave_mask+4(%rip), %edx
  xsave64 (%rsp)
  fninit
  call gyre_yield_preempted
  movl gyre_xsave_mask(%rip), %eax
  movl gyre_xsave_mask+4(%rip), %edx
  xrstor64 (%rsp)
  leaq -120(%rbp), %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %r11
  popq %r10
  popq %r9
  popq %r8
  popq %rdi
  popq %rsi
  popq %rbx
  popq %rdx
  popq %rcx
  popq %rax
  popfq
  popq %rbp
  .cfi_def_cfa %rsp, 136
  .cfi_restore %rbp
  ret $128
  .cfi_endproc
  .size gyre_preempted_here, .-gyre_preempted_here
  .popsection
)");
#endif

namespace gyre::internal {

namespace {

constexpr size_t kRedZone = 128;
constexpr size_t kRegisters = 512;         // with alignment
constexpr size_t kRoomToYield = 8 * 1024;  // for the scheduler's and the policy's frames

[[gnu::noinline]] int GetErrno() { return errno; }
[[gnu::noinline]] void SetErrno(int value) { errno = value; }

}  // namespace

absl::Status Core::PrepareCalls() {
#if defined(__x86_64__)
  unsigned eax, ebx, ecx, edx;
  constexpr unsigned kOsxsave = 1u << 27;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kOsxsave) != 0 &&
      __get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx) != 0) {
    gyre_xsave_size = ebx;  // for all that is switched on
    uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    gyre_xsave_mask = uint64_t{high} << 32 | low;
    return absl::OkStatus();
  }
#endif
  return absl::UnimplementedError("it needs an x86-64 processor with XSAVE; use klt, cooperative or none");
}

bool Core::PreemptByCall() {
#if defined(__x86_64__)
  ThreadState& thread = This();
  Machine* m = thread.m;
  if (thread.no_preempt != 0) {
    thread.preempt_pending.store(true, std::memory_order_relaxed);
    return false;
  }
  if (stopping()) HoldHere(m);
  auto* at = static_cast<ucontext_t*>(m->interrupted);
  greg_t& pc = at->uc_mcontext.gregs[REG_RIP];
  greg_t& sp = at->uc_mcontext.gregs[REG_RSP];
  const auto code = static_cast<uintptr_t>(pc), top = static_cast<uintptr_t>(sp);
  const Stack& stack = thread.g->stack;
  const size_t need = kRedZone + kRegisters + gyre_xsave_size + kRoomToYield;
  const bool safe = code >= reinterpret_cast<uintptr_t>(&__executable_start) &&
                    code < reinterpret_cast<uintptr_t>(&etext) &&
                    (code < reinterpret_cast<uintptr_t>(&gyre_preempted_here) ||
                     code >= reinterpret_cast<uintptr_t>(&gyre_preempted_here) + kRegisters) &&
                    top <= reinterpret_cast<uintptr_t>(stack.top) &&
                    top >= reinterpret_cast<uintptr_t>(stack.low) + need;
  if (!safe) {
    m->ask_again = true;
    return false;
  }
  // The page may be one that the stack has not touched yet: the fault handler then makes it, as for the goroutine itself.
  const uintptr_t frame = top - kRedZone - sizeof(uintptr_t);
  std::memcpy(reinterpret_cast<void*>(frame), &code, sizeof(code));
  sp = static_cast<greg_t>(frame);
  pc = reinterpret_cast<greg_t>(&gyre_preempted_here);
  preempted_by_call_.fetch_add(1, std::memory_order_relaxed);
  return true;
#else
  return false;
#endif
}

void Core::YieldByCall(G* self) {
  NoPreemptEnter();  // once, and until it is back: a second interruption must not find it half on its way
  ThreadState& thread = This();
  thread.p->attention.fetch_and(~static_cast<uint32_t>(kAttentionPreempt), std::memory_order_relaxed);
  if (self->bound == nullptr) {
    self->bound = thread.m;
    self->homing = true;
    thread.m->away.fetch_add(1, std::memory_order_relaxed);
  }
  YieldSlow(self, EnqueueReason::kPreempted);
  NoPreemptExit();
}

// `m` picked `g`, whose thread is another's. Returns with `m` without its processor if that went along.
void Core::SendHome(Machine* m, G* g) {
  Machine* home = g->bound;
  {
    RawLockHolder hold(spares_lock_);
    Machine** link = &spares_;
    while (*link != nullptr && *link != home) link = &(*link)->next_spare;
    if (*link == nullptr) {
      // It runs others. Under the lock: one that becomes a spare looks whether anybody waits for it.
      g->next = home->returners;
      home->returners = g;
      home->has_returners.store(true, std::memory_order_seq_cst);
      home = nullptr;
    } else {
      *link = home->next_spare;
      --spare_count_;
    }
  }
  if (home != nullptr) {
    home->next = g;
    GiveProcessor(Surrender(m), home);
    return;
  }
  home = g->bound;
  for (ProcId id = 0; id < proc_count_; ++id) {
    Processor& p = procs_[id];
    if (p.m.load(std::memory_order_seq_cst) != home) continue;
    // Asleep: it set its bit, then looked for returners; we put one there, then look at the bit.
    p.attention.fetch_or(kAttentionPreempt, std::memory_order_seq_cst);
    if (ClaimIdle(id)) {
      idle_word_.fetch_add(kOneSpinning, std::memory_order_seq_cst);
      Unpark(id);
    }
  }
}

G* Core::TakeReturner(Machine* m) {
  RawLockHolder hold(spares_lock_);
  G* g = m->returners;
  if (g == nullptr) return nullptr;
  m->returners = static_cast<G*>(g->next);
  g->next = nullptr;
  m->has_returners.store(m->returners != nullptr, std::memory_order_relaxed);
  return g;
}

void Core::CameHome(Machine* m, G* g) {
  g->homing = false;
  g->bound = nullptr;
  m->away.fetch_sub(1, std::memory_order_relaxed);
}

void Core::LeaveToReturners() {
  for (int tries = 0; tries < 8 && This().m->away.load(std::memory_order_relaxed) != 0; ++tries) {
    NoPreemptEnter();
    G* self = This().g;
    if (self->bound != nullptr || This().p == nullptr) return NoPreemptExit();
    Machine* other;
    {
      RawLockHolder hold(spares_lock_);
      other = spares_;
      while (other != nullptr && other->away.load(std::memory_order_relaxed) != 0) other = other->next_spare;
      if (other != nullptr) {
        self->bound = other;
        self->homing = true;
        other->away.fetch_add(1, std::memory_order_relaxed);
      }
    }
    if (other == nullptr) StartSpare();
    YieldSlow(self, EnqueueReason::kYielded);
    NoPreemptExit();
  }
}

}  // namespace gyre::internal

// Called by gyre_preempted_here, in ordinary context.
void gyre_yield_preempted() {
  using namespace gyre::internal;
  G* self = This().g;
  const int error = GetErrno();
  self->core->YieldByCall(self);
  SetErrno(error);
}
