// Segmentation faults on goroutine stacks: a stack that grows, or one that has overflowed and is reported by name.
#ifndef GYRE_RUNTIME_FAULT_H_
#define GYRE_RUNTIME_FAULT_H_

namespace gyre::internal {

// Installs the process's handler, once; faults that are not on a goroutine's stack go to whoever handled them before.
void InstallFaultHandler();

// The calling machine's alternate signal stack: the handler cannot run on a stack that has overflowed.
class AlternateSignalStack {
 public:
  AlternateSignalStack();
  ~AlternateSignalStack();
  AlternateSignalStack(const AlternateSignalStack&) = delete;
  AlternateSignalStack& operator=(const AlternateSignalStack&) = delete;

 private:
  void* mine_ = nullptr;  // null: the thread had one already
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_FAULT_H_
