// Leaving one stack for another: the machine-dependent part of the context switch (switch.h).
//
// On x86-64 it is a dozen instructions of our own, inlined where they are used: the compiler saves just the registers
// that are live there, and a goroutine's stack pointer, frame pointer, program counter and floating-point control words
// lie in its control block, where a dump and a debugger find them. Boost.Context's fcontext (Oliver Kowalke), which is
// the whole of it elsewhere and with --config=fcontext, saves and restores all callee-saved registers out of line.
//
// Floating-point control. The rounding mode and the exception masks are a function's to keep, by the ABI, so they
// travel with the goroutine. Loading them is slow, and they hardly ever differ: they are loaded only if they do. The
// exception flags in the same register belong to nobody across a call.
#ifndef GYRE_RUNTIME_JUMP_H_
#define GYRE_RUNTIME_JUMP_H_

#include <cstddef>
#include <cstdint>

#include "runtime/goroutine.h"

#if defined(__x86_64__) && !defined(GYRE_USE_FCONTEXT)
#define GYRE_OWN_JUMP 1
#include <xmmintrin.h>
#else
#define GYRE_OWN_JUMP 0
#include <boost/context/detail/fcontext.hpp>
#endif

namespace gyre::internal {

// What the far side of a jump learns: the context to enter again whoever was left, and who that was.
struct Arrival {
  void* context;
  G* left;
};

// The bottom frame of every goroutine (spawn.cc).
[[noreturn]] void EnterGoroutine(Arrival arrival);

// Where a goroutine that is not running will go on, and its frame pointer there.
struct Resumption {
  void* instruction;
  char* frame;
};

#if GYRE_OWN_JUMP

// The context of a goroutine that was never entered: it will begin in EnterGoroutine. `sp`: the highest address that
// its frames may use, a multiple of 16.
inline void* MakeContext(G* g, char* sp) {
  // As a call leaves it: the stack pointer is 8 past a multiple of 16, and points to the return address: there is none.
  auto** frame = reinterpret_cast<void**>(sp) - 1;
  *frame = nullptr;
  g->saved.ip = reinterpret_cast<void*>(&EnterGoroutine);
  g->saved.fp = nullptr;  // ends the chain of frame pointers
  g->saved.mxcsr = _mm_getcsr();
  asm volatile("fnstcw %0" : "=m"(g->saved.x87));
  return frame;
}

// Leaves `from`, which runs, for `to`, whose context is `context`. Returns when something jumps back to `from`.
[[gnu::always_inline]] inline Arrival Jump(G* from, G* to, void* context) {
  constexpr uint32_t kControlBits = 0xffc0;
  SavedRegisters* mine = &from->saved;
  SavedRegisters* others = &to->saved;
  mine->mxcsr = _mm_getcsr();
  asm volatile("fnstcw %0" : "=m"(mine->x87));
  if (((mine->mxcsr ^ others->mxcsr) & kControlBits) != 0) [[unlikely]]
    _mm_setcsr(others->mxcsr);
  if (mine->x87 != others->x87) [[unlikely]] {
    asm volatile("fldcw %0" : : "m"(others->x87));
  }
  Arrival arrival;
  // The results arrive in the registers in which a function has its argument of two words, so that EnterGoroutine can
  // be jumped to like the label here. Nothing is pushed: what a leaf function keeps below its stack pointer stays.
  asm volatile(
      "leaq 1f(%%rip), %%rax\n\t"
      "movq %%rax, %c[ip](%%rdx)\n\t"
      "movq %%rbp, %c[fp](%%rdx)\n\t"
      "movq %%rsp, %%rax\n\t"
      "movq %%rdi, %%rsp\n\t"
      "movq %%rax, %%rdi\n\t"
      "movq %c[fp](%%rcx), %%rbp\n\t"
      "jmpq *%c[ip](%%rcx)\n"
      "1:"
      : "=D"(arrival.context), "=S"(arrival.left), "+d"(mine), "+c"(others)
      : "0"(context), "1"(from), [ip] "i"(offsetof(SavedRegisters, ip)), [fp] "i"(offsetof(SavedRegisters, fp))
      : "rax", "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory",  //
        "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)",                 //
        "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15"
#if defined(__AVX512F__)
        ,
        "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27",
        "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#endif
  );
  return arrival;
}

inline Resumption ResumptionOf(const G* g, void* /*context*/) {
  return {g->saved.ip, static_cast<char*>(g->saved.fp)};
}

#else

inline void* MakeContext(G* g, char* sp) {
  return boost::context::detail::make_fcontext(sp, static_cast<size_t>(sp - g->stack.low),
                                               [](boost::context::detail::transfer_t arrived) {
                                                 EnterGoroutine({arrived.fctx, static_cast<G*>(arrived.data)});
                                               });
}

inline Arrival Jump(G* from, G* /*to*/, void* context) {
  const boost::context::detail::transfer_t arrived = boost::context::detail::jump_fcontext(context, from);
  return {arrived.fctx, static_cast<G*>(arrived.data)};
}

inline Resumption ResumptionOf(const G*, [[maybe_unused]] void* context) {
#if defined(__x86_64__)
  // Control words and r12..r15, rbx come first, then rbp and the return address.
  auto** saved = static_cast<void**>(context);
  return {saved[7], static_cast<char*>(saved[6])};
#else
  return {};
#endif
}

#endif

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_JUMP_H_
