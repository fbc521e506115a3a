// Who can be reached: the search of the leak finder (leak_check.h), with the world stopped.
#ifndef GYRE_RUNTIME_DEBUG_REACHABILITY_H_
#define GYRE_RUNTIME_DEBUG_REACHABILITY_H_

#include <cstdint>

#include "absl/types/span.h"
#include "runtime/debug/heap_blocks.h"
#include "runtime/debug/page_vector.h"
#include "runtime/debug/world_stop.h"
#include "runtime/goroutine.h"

namespace gyre::internal {

// Invariants
//  1. What is scanned holds every word that a thread, or a goroutine that is not a candidate, may still use as a
//  pointer.
//  2. A candidate's stack is scanned when a pointer into it has been found: then somebody may end its wait. That covers
//     queues too: a channel or lock that is reached points to the first of its waiters, that one's node to the next.
//  3. Control blocks, at the top of stacks, are not scanned, and a pointer to one (the runtime has many) means nothing,
//  but
//     on the stack or in a register of a thread that is busy: that may be about to ready the goroutine.
class Reachability {
 public:
  // Everything is made before the world stops. `most`: goroutines.
  explicit Reachability(size_t most);

  // A goroutine in the stopped world: false, if it cannot be told where its stack begins (it is in the middle of a
  // switch).
  bool AddGoroutine(const G* g, absl::Span<const StoppedThread> threads);
  // Memory of stacks, whoever's: not to be scanned but for what AddGoroutine says.
  void AddStack(const Stack& stack);
  // Marks. `own_frame`: above it, the calling thread's stack is scanned, below not.
  void Search(absl::Span<const StoppedThread> threads, uintptr_t own_frame);

  // After Search: visit(g, reached) for each candidate.
  template <typename Visit>
  void ForEachCandidate(Visit visit) const {
    for (const Candidate& candidate : candidates_) visit(candidate.g, candidate.reached);
  }

 private:
  struct Candidate {
    StackRange frames;  // from its stack pointer up to its control block
    const G* g;
    bool reached;
  };
  // Where a word stands.
  enum class Source : uint8_t {
    kMemory,
    kLibc,  // glibc's own variables
    kBusy,  // a stack or a register of a thread that runs
  };
  struct Region {
    StackRange range;
    Source source;
  };

  void ReadMappings(absl::Span<const StoppedThread> threads, uintptr_t own_frame);
  void ScanThread(const StoppedThread& thread);
  void AddMapping(StackRange range, bool is_heap, bool is_libc);
  // Leaves out what is not to be scanned.
  void ScanRegion(const Region& region);
  // Leaves out pages that were never touched.
  void ScanTouched(StackRange range, Source source);
  void ScanCopy(StackRange range, Source source);
  void Scan(StackRange range, Source source);
  void Follow(uintptr_t word, Source source);
  Candidate* FindCandidate(uintptr_t address, Source source);
  void MergeExcluded();
  void Drain();

  PageVector<Candidate> candidates_;  // sorted by address before the search
  PageVector<Region> live_frames_;    // of goroutines that are no candidates
  PageVector<StackRange> excluded_;   // sorted and disjoint before the search
  PageVector<Region> regions_;
  PageVector<StackRange> work_;  // reached and to be scanned
  HeapBlocks heap_;
  int pagemap_ = -1;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_REACHABILITY_H_
