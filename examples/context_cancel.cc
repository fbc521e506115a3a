// A context ends a goroutine: it works until it is told to stop. The Go program sleeps for a second at the end, so that
// the goroutine has time to say so; this one waits.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    auto [ctx, cancel] = gyre::context::WithCancel(gyre::context::Background());
    gyre::WaitGroup wg;
    wg.Go([ctx = ctx] {
      const auto work = [] {
        absl::PrintF("Working...\n");
        gyre::Sleep(absl::Milliseconds(500));
      };
      bool stop = false;
      while (!stop) gyre::Select(ctx.Done().OnRecv([&] { stop = true; }), gyre::Default(work));
      absl::PrintF("Goroutine exiting\n");
    });
    gyre::Sleep(absl::Seconds(2));
    cancel();
    wg.Wait();
  });
}
