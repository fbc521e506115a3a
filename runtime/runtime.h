// A runtime as an object: for tests that run one body under many configurations, and for programs that own their main and
// their threads and host goroutines beside them. A program that is all goroutines uses gyre::Main (main.h).
//
//   gyre::Config config;
//   config.scheduler = "gmp:steal=one";
//   gyre::Runtime runtime(config);          // or Runtime::Create(config), which returns an error instead of throwing it
//   runtime.Run([] { ... });                // returns when the main goroutine has
//
// Several runtimes may live side by side; goroutines of one may use channels and locks shared with another's.
#ifndef GYRE_RUNTIME_RUNTIME_H_
#define GYRE_RUNTIME_RUNTIME_H_

#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "plugins/config.h"
#include "runtime/go.h"
#include "runtime/stats.h"

namespace gyre {

class Runtime {
 public:
  // Errors: an unknown plug-in, option or engine; a value out of range; a plug-in that cannot start here, or not with the
  // others. The message says what is valid.
  static absl::StatusOr<std::unique_ptr<Runtime>> Create(const Config& config);

  // As Create; throws std::invalid_argument with the message.
  explicit Runtime(const Config& config);
  // With the configuration of the environment variable GYRE, or the defaults.
  Runtime();
  // Goroutines that still exist are abandoned where they are: their destructors do not run (as in Go, when main returns).
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Runs main() as the main goroutine, and waits; returns when it has returned and the machines have stopped. Once per object,
  // not from a goroutine: either misuse is a panic. Returns false if a goroutine was left that computes, or was stopped in
  // the middle of something by asynchronous preemption: it may hold any lock, malloc's too, so the process should end with _exit.
  bool Run(absl::FunctionRef<void()> main);

  // Starts a goroutine from any thread. One started before Run may run at once or when Run is called. Throws PanicError if
  // there is no memory for a stack.
  template <typename F>
  void Go(F&& f) {
    Go(GoOptions{}, std::forward<F>(f));
  }
  template <typename F>
  void Go(const GoOptions& options, F&& f) {
    internal::StartGoroutine(internal::MakeGoroutine(core_.get(), &options, std::forward<F>(f)));
  }

  // Any thread.
  RuntimeStats Stats() const;
  int64_t NumGoroutine() const;
  int procs() const;
  const Config& config() const;

 private:
  explicit Runtime(std::shared_ptr<internal::Core> core) : core_(std::move(core)) {}
  std::shared_ptr<internal::Core> core_;
  bool ran_ = false;
};

// Of the calling goroutine's runtime; zeros on a foreign thread.
RuntimeStats CurrentStats();

}  // namespace gyre

#endif  // GYRE_RUNTIME_RUNTIME_H_
