#include "runtime/debug/server.h"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/auxiliary_threads.h"
#include "runtime/core.h"
#include "runtime/debug/http_server.h"
#include "runtime/debug/metrics.h"
#include "runtime/debug/pprof.h"
#include "runtime/live_cores.h"

namespace gyre {

namespace {

using internal::HttpAnswer;
using internal::HttpError;
using internal::HttpRequest;

constexpr char kRoot[] = "/debug/pprof/";
constexpr double kLongestSeconds = 3600;

HttpAnswer Html(std::string body) {
  HttpAnswer answer;
  answer.type = "text/html; charset=utf-8";
  answer.body = std::move(body);
  return answer;
}

HttpAnswer File(std::string body, const std::string& name) {
  HttpAnswer answer;
  answer.type = "application/octet-stream";
  answer.body = std::move(body);
  answer.file = name;
  return answer;
}

HttpAnswer Index() {
  std::string rows;
  const auto add = [&](const std::string& link, const std::string& name, const std::string& help) {
    absl::StrAppend(&rows, "<tr><td><a href=\"", link, "\">", name, "</a></td><td>", help, "</td></tr>\n");
  };
  for (const pprof::Kind& kind : pprof::Profiles()) add(absl::StrCat(kind.name, "?debug=1"), kind.name, kind.help);
  add("goroutine?debug=2", "full goroutine stack dump", "a trace of each goroutine, as a panic prints it");
  add("profile?seconds=5", "profile", "where CPU time goes, over so many seconds: for go tool pprof");
  add("trace?seconds=1", "trace", "what every goroutine does, over so many seconds: for go tool trace");
  add("cmdline", "cmdline", "the command line");
  add("/metrics", "metrics", "the runtimes' counts, for Prometheus");
  return Html(absl::StrCat("<!DOCTYPE html>\n<html><head><title>", kRoot, "</title></head><body>\n<h1>", kRoot,
                           "</h1>\n<table>\n", rows, "</table>\n</body></html>\n"));
}

// The argument as a number of seconds.
absl::StatusOr<double> Seconds(const HttpRequest& request, double otherwise) {
  const std::optional<std::string> text = request.argument("seconds");
  if (!text.has_value()) return otherwise;
  double seconds;
  if (absl::SimpleAtod(*text, &seconds) && seconds > 0 && seconds <= kLongestSeconds) return seconds;
  return absl::InvalidArgumentError(absl::StrCat("seconds may be more than 0 and up to ", kLongestSeconds));
}

absl::StatusOr<int> Number(const HttpRequest& request, const char* name, int otherwise, int most) {
  const std::optional<std::string> text = request.argument(name);
  if (!text.has_value()) return otherwise;
  int number;
  if (absl::SimpleAtoi(*text, &number) && number >= 0 && number <= most) return number;
  return absl::InvalidArgumentError(absl::StrCat(name, " may be from 0 to ", most));
}

HttpAnswer Later(double seconds, std::function<HttpAnswer()> then) {
  HttpAnswer answer;
  answer.wait = static_cast<Nanos>(seconds * 1e9);
  answer.then = std::move(then);
  return answer;
}

HttpAnswer CpuProfile(const HttpRequest& request) {
  const absl::StatusOr<double> seconds = Seconds(request, 30);
  if (!seconds.ok()) return HttpError(400, std::string(seconds.status().message()));
  const absl::StatusOr<int> hz = Number(request, "hz", 100, 10000);
  if (!hz.ok()) return HttpError(400, std::string(hz.status().message()));
  if (absl::Status status = pprof::StartCpuProfile(*hz); !status.ok()) {
    return HttpError(absl::IsInvalidArgument(status) ? 400 : 503, std::string(status.message()));
  }
  return Later(*seconds, [] { return File(pprof::StopCpuProfile(), "profile"); });
}

// A profile that takes its time, on a thread of its own.
struct Aside {
  std::atomic<bool> done{false};
  absl::StatusOr<std::string> profile = absl::UnknownError("");
  internal::AuxiliaryThread thread;
};

HttpAnswer FinishAside(std::shared_ptr<Aside> aside, int debug);

HttpAnswer WaitForAside(std::shared_ptr<Aside> aside, int debug) {
  return Later(0.02, [aside, debug] {
    return aside->done.load(std::memory_order_acquire) ? FinishAside(aside, debug) : WaitForAside(aside, debug);
  });
}

HttpAnswer FinishAside(std::shared_ptr<Aside> aside, int debug) {
  aside->thread.Join();
  if (!aside->profile.ok()) return HttpError(503, std::string(aside->profile.status().message()));
  if (debug == 0) return File(*std::move(aside->profile), "goroutineleak");
  HttpAnswer answer;
  answer.body = *std::move(aside->profile);
  return answer;
}

HttpAnswer LeakProfile(int debug) {
  auto aside = std::make_shared<Aside>();
  const int error = aside->thread.Start("gyre-leaks", [raw = aside.get(), debug] {
    raw->profile = pprof::Lookup("goroutineleak", debug);
    raw->done.store(true, std::memory_order_release);
  });
  if (error != 0) return HttpError(503, absl::StrCat("cannot start a thread: ", std::strerror(error)));
  return WaitForAside(std::move(aside), debug);
}

// Of the runtime that was there first.
HttpAnswer Trace(const HttpRequest& request) {
  const absl::StatusOr<double> seconds = Seconds(request, 1);
  if (!seconds.ok()) return HttpError(400, std::string(seconds.status().message()));
  std::shared_ptr<internal::Core> core;
  internal::ForEachLiveCore([&](internal::Core* first) {
    if (core == nullptr) core = first->shared_from_this();
  });
  if (core == nullptr) return HttpError(503, "no runtime is running");
  if (absl::Status status = core->StartTrace(""); !status.ok()) return HttpError(503, std::string(status.message()));
  return Later(*seconds, [core] {
    std::string trace;
    const absl::Status status = core->StopTrace(&trace);
    return status.ok() ? File(std::move(trace), "trace") : HttpError(503, std::string(status.message()));
  });
}

HttpAnswer CommandLine() {
  std::ifstream file("/proc/self/cmdline");
  HttpAnswer answer;
  answer.body = std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return answer;
}

HttpAnswer NamedProfile(const std::string& name, const HttpRequest& request) {
  const absl::StatusOr<int> debug = Number(request, "debug", 0, 2);
  if (!debug.ok()) return HttpError(400, std::string(debug.status().message()));
  if (name == "goroutineleak") return LeakProfile(*debug);
  absl::StatusOr<std::string> profile = pprof::Lookup(name, *debug);
  if (!profile.ok()) return HttpError(404, std::string(profile.status().message()));
  if (*debug == 0) return File(*std::move(profile), name);
  HttpAnswer answer;
  answer.body = *std::move(profile);
  return answer;
}

HttpAnswer Answer(const HttpRequest& request) {
  const std::string& path = request.path;
  if (path == "/metrics") {
    HttpAnswer answer;
    answer.type = "text/plain; version=0.0.4; charset=utf-8";
    answer.body = internal::MetricsText();
    return answer;
  }
  if (path == "/" || path + "/" == kRoot || path == kRoot) return Index();
  if (path.rfind(kRoot, 0) != 0) return HttpError(404, absl::StrCat("there is nothing here: see ", kRoot));
  const std::string name = path.substr(sizeof(kRoot) - 1);
  if (name == "profile") return CpuProfile(request);
  if (name == "trace") return Trace(request);
  if (name == "cmdline") return CommandLine();
  return NamedProfile(name, request);
}

class Server final : public DebugServer {
 public:
  explicit Server(std::unique_ptr<internal::HttpServer> http) : http_(std::move(http)) {}
  std::string address() const override { return http_->address(); }

 private:
  std::unique_ptr<internal::HttpServer> http_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DebugServer>> DebugServer::Start(const std::string& address, bool beyond_loopback) {
  auto http = internal::HttpServer::Start(address, beyond_loopback, &Answer);
  if (!http.ok()) return http.status();
  return std::make_unique<Server>(*std::move(http));
}

absl::StatusOr<std::unique_ptr<DebugServer>> DebugServer::StartFor(const Config& config) {
  if (config.block_profile_rate != 0) pprof::SetBlockProfileRate(config.block_profile_rate);
  if (config.mutex_profile_fraction != 0) pprof::SetMutexProfileFraction(config.mutex_profile_fraction);
  if (config.debug_http.empty()) return std::unique_ptr<DebugServer>();
  auto server = Start(config.debug_http, config.debug_http_public);
  if (server.ok()) std::fprintf(stderr, "debug_http: http://%s%s\n", (*server)->address().c_str(), kRoot);
  return server;
}

}  // namespace gyre
