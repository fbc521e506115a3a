// The cure for a goroutine that loops: a context says when it should stop, and it looks at that in every round. The Go
// program sleeps where this one waits, so that the goroutine is seen to end.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    auto [ctx, cancel] = gyre::context::WithCancel(gyre::context::Background());
    gyre::WaitGroup wg;
    wg.Go([ctx = ctx] {
      const auto work = [] { gyre::Yield(); };  // one step of the mission
      bool stop = false;
      while (!stop) gyre::Select(ctx.Done().OnRecv([&] { stop = true; }), gyre::Default(work));
      absl::PrintF("Goroutine exiting\n");
    });
    gyre::Sleep(absl::Seconds(1));
    cancel();
    wg.Wait();
  });
}
