// gyre::Main: the whole of a program's main function.
//
//   int main(int argc, char** argv) {
//     return gyre::Main(argc, argv, [] { ... });
//   }
//
// Reads the environment variable GYRE and the flags (--scheduler, --stack, ...; --help lists them, and the program's own
// Abseil flags), and runs the function as the main goroutine. The process ends when that returns, without waiting for
// other goroutines. Exit codes: 0, or the int that the function returned; 2 for flags that are wrong, for a panic that nobody
// caught, and for a fatal error.
#ifndef GYRE_RUNTIME_MAIN_H_
#define GYRE_RUNTIME_MAIN_H_

#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"

namespace gyre {

namespace internal {
int MainImpl(int argc, char** argv, absl::FunctionRef<int(const std::vector<char*>&)> main);
}

// `f` takes nothing, or the command line's words that are not flags (the program's name first); it returns nothing, or an
// exit code.
template <typename F>
int Main(int argc, char** argv, F&& f) {
  return internal::MainImpl(argc, argv, [&f](const std::vector<char*>& words) -> int {
    auto call = [&]() -> decltype(auto) {
      if constexpr (std::is_invocable_v<F&, const std::vector<char*>&>) {
        return f(words);
      } else {
        return f();
      }
    };
    if constexpr (std::is_void_v<decltype(call())>) {
      (void)words;
      call();
      return 0;
    } else {
      return call();
    }
  });
}

}  // namespace gyre

#endif  // GYRE_RUNTIME_MAIN_H_
