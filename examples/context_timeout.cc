// A context with a time limit: the operation would take three seconds, and has two.
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    auto [ctx, cancel] = gyre::context::WithTimeout(gyre::context::Background(), absl::Seconds(2));
    absl::Cleanup at_end = [cancel = cancel] { cancel(); };  // defer cancel()
    gyre::Select(gyre::After(absl::Seconds(3)).OnRecv([] { absl::PrintF("Operation completed\n"); }),
                 ctx.Done().OnRecv([&ctx = ctx] { absl::PrintF("Timeout: %s\n", ctx.Err()->Error()); }));
  });
}
