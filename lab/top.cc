// lab top: a running program, live.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lab/command.h"
#include "lab/metrics_client.h"
#include "lab/top_view.h"

ABSL_FLAG(double, interval, 1, "seconds between two readings, from 0.05 to 3600");
ABSL_FLAG(int, readings, 0, "ends after so many (default: when q is pressed or the program ends)");

namespace gyre::lab {

namespace {

volatile sig_atomic_t interrupted = 0;

// The terminal shows a screen of its own, without a cursor, and keys come as they are pressed. As it was before,
// afterwards.
class Screen {
 public:
  Screen() {
    if (!isatty(STDOUT_FILENO)) return;
    is_terminal_ = true;
    if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before_) == 0) {
      has_keys_ = true;
      termios keys = before_;
      keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    absl::PrintF("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() {
    if (!is_terminal_) return;
    absl::PrintF("\x1b[?25h\x1b[?1049l");
    std::fflush(stdout);
    if (has_keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Plain text, frame after frame, where it is no terminal.
  void Show(const std::string& text) {
    if (!is_terminal_) {
      absl::PrintF("%s\n", text);
      std::fflush(stdout);
      return;
    }
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) size = {24, 80, 0, 0};
    std::string frame = "\x1b[H";
    int line_count = 0;
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      if (++line_count >= size.ws_row) break;
      absl::StrAppend(&frame, line.substr(0, size.ws_col), "\x1b[K\r\n");
    }
    absl::PrintF("%s\x1b[J", frame);
    std::fflush(stdout);
  }

  // Waits; false: the user wants to leave.
  bool Wait(absl::Duration time) {
    const absl::Time end = absl::Now() + time;
    for (;;) {
      const int left = static_cast<int>(absl::ToInt64Milliseconds(end - absl::Now()));
      if (interrupted != 0) return false;
      if (left <= 0) return true;
      pollfd keys{has_keys_ ? STDIN_FILENO : -1, POLLIN, 0};
      if (poll(&keys, 1, left) <= 0) continue;
      char key;
      if (read(STDIN_FILENO, &key, 1) == 1) {
        if (key == 'q' || key == 'Q') return false;
      } else {
        has_keys_ = false;
      }
    }
  }

  bool is_terminal() const { return is_terminal_; }

 private:
  bool is_terminal_ = false;
  bool has_keys_ = false;
  termios before_{};
};

absl::StatusOr<int> Top(const Arguments& arguments) {
  if (arguments.words.size() != 1) {
    return absl::InvalidArgumentError("top needs the address of a program's debug server: top 127.0.0.1:6060");
  }
  const double interval = absl::GetFlag(FLAGS_interval);
  if (!(interval >= 0.05 && interval <= 3600)) {
    return absl::InvalidArgumentError("--interval may be from 0.05 to 3600 seconds");
  }
  const int readings = absl::GetFlag(FLAGS_readings);
  if (readings < 0) return absl::InvalidArgumentError("--readings may not be negative");
  const std::string& address = arguments.words[0];
  absl::StatusOr<std::string> text = Fetch(address, "/metrics");
  if (!text.ok()) return text.status();

  Metrics before;
  absl::Time before_time = absl::Now();
  {
    Screen screen;
    for (int reading = 1;; ++reading) {
      const absl::Time now = absl::Now();
      Metrics metrics = ParseMetrics(*text);
      const std::string title =
          absl::StrCat("gyre top  ", address, "  ", absl::FormatTime("%H:%M:%S", now, absl::LocalTimeZone()),
                       "  every ", interval, " s", screen.is_terminal() ? "  (q: quit)" : "");
      screen.Show(TopView(title, before, metrics, absl::ToDoubleSeconds(now - before_time)));
      if (reading == readings || !screen.Wait(absl::Seconds(interval))) return kExitOk;
      before = std::move(metrics);
      before_time = now;
      text = Fetch(address, "/metrics");
      if (!text.ok()) break;
    }
  }
  absl::PrintF("%s does not answer any more\n", address);
  return kExitOk;
}

}  // namespace

Command TopCommand() {
  return {
      .name = "top",
      .arguments = "HOST:PORT [--interval=SECONDS] [--readings=N]",
      .summary = "shows what a running program does, live: goroutines, run queues, steals, latencies",
      .description =
          "The program is one that was started with --debug_http=HOST:PORT. Press q to leave.\n"
          "For example: top 127.0.0.1:6060\n",
      .flags = {{"interval", "SECONDS"}, {"readings", "N"}},
      .run = Top,
  };
}

}  // namespace gyre::lab
