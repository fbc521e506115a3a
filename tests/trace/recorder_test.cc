// Traces of runs: whole, whatever the runtime does while they are recorded, and whenever recording begins and ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "runtime/simulation/simulate.h"
#include "runtime/trace/checker.h"
#include "runtime/trace/perfetto.h"
#include "runtime/trace/reader.h"
#include "tests/lab/json_checker.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using ::testing::HasSubstr;
using trace::EventType;

std::string FileText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string FreshFile(const std::string& name) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/", name, ".", getpid());
  std::remove(path.c_str());
  return path;
}

// Ends the recording; the trace, checked and in order.
trace::Trace StopAndCheck(trace::Summary* summary = nullptr) {
  absl::StatusOr<std::string> bytes = trace::StopInMemory();
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  if (!bytes.ok()) return {};
  absl::StatusOr<trace::Trace> trace = trace::ReadTrace(*bytes);
  EXPECT_TRUE(trace.ok()) << trace.status();
  if (!trace.ok()) return {};
  absl::StatusOr<trace::Summary> checked = trace::CheckTrace(&*trace);
  EXPECT_TRUE(checked.ok()) << checked.status();
  if (checked.ok() && summary != nullptr) *summary = *checked;
  return *std::move(trace);
}

std::map<EventType, int> CountsOf(const trace::Trace& trace) {
  std::map<EventType, int> counts;
  for (const trace::Event& event : trace.events) ++counts[event.type];
  return counts;
}

// Some of everything.
void Play(int rounds) {
  Mutex lock;
  Chan<int> chan = MakeChan<int>();
  Chan<int> buffered = MakeChan<int>(3);
  WaitGroup all;
  for (int i = 0; i < 4; ++i) {
    all.Go([&, i] {
      for (int round = 0; round < rounds; ++round) {
        if (i % 2 == 0) {
          chan.Send(round);
        } else {
          Select(chan.OnRecv([](int) {}), After(absl::Hours(1)).OnRecv([] {}));
        }
        lock.Lock();
        if (round % 16 == 0) Yield();
        lock.Unlock();
        if (round % 64 == 0) Blocking([] {});
        if (!buffered.TrySend(i)) buffered.TryRecv();
      }
    });
  }
  all.Wait();
  Sleep(absl::Microseconds(10));
}

GYRE_TEST(TraceRecorder, ARecordedPartIsWhole) {
  Play(10);
  for (int part = 0; part < 2; ++part) {
    ASSERT_TRUE(trace::StartInMemory().ok());
    EXPECT_TRUE(trace::Enabled());
    Play(testing::Scaled(50));
    testing::Eventually([] { return NumGoroutine() == 1; });  // Done comes before the end
    trace::Summary summary;
    const std::map<EventType, int> counts = CountsOf(StopAndCheck(&summary));
    EXPECT_FALSE(trace::Enabled());
    EXPECT_EQ(counts.at(EventType::kGoEnd), 4);
    EXPECT_GE(counts.at(EventType::kGoCreate), 5);  // one of them introduces the main goroutine
    EXPECT_GE(counts.at(EventType::kGoSleep), 1);
    EXPECT_GE(counts.at(EventType::kGoSysCall), 4);
    EXPECT_EQ(summary.parks, summary.readies + summary.waiting_at_end);
  }
}

GYRE_TEST(TraceRecorder, BeginsAndEndsWhileOthersRun) {
  Chan<int> stop = MakeChan<int>();
  WaitGroup players;
  for (int i = 0; i < 3; ++i) {
    players.Go([=] {
      for (;;) {
        Play(4);
        bool stopped = false;
        Select(stop.OnRecv([&] { stopped = true; }), Default([] {}));
        if (stopped) return;
      }
    });
  }
  for (int recording = 0; recording < 5; ++recording) {
    ASSERT_TRUE(trace::StartInMemory().ok());
    for (int i = 0; i < 20; ++i) Yield();
    Sleep(absl::Microseconds(100));
    StopAndCheck();
  }
  stop.Close();
  players.Wait();
}

GYRE_TEST(TraceRecorder, GoroutinesThatWereThere) {
  Chan<int> go = MakeChan<int>();
  Chan<int> done = MakeChan<int>();
  for (int i = 0; i < 3; ++i) {
    Go({.name = "sleeper"}, [=] {
      go.Recv();
      done.Send(1);
    });
  }
  while (NumGoroutine() > 1 && CurrentStats().parks < 3) Yield();
  ASSERT_TRUE(trace::StartInMemory().ok());
  for (int i = 0; i < 3; ++i) go.Send(i);
  for (int i = 0; i < 3; ++i) done.Recv();
  const trace::Trace trace = StopAndCheck();
  std::set<uint64_t> sleepers;
  for (const trace::Event& event : trace.events) {
    if (event.type == EventType::kGoCreate && trace.Function(event.arguments[1]) == "sleeper") {
      sleepers.insert(event.arguments[0]);
    }
  }
  EXPECT_EQ(sleepers.size(), 3u);
}

GYRE_TEST(TraceRecorder, TasksRegionsAndLogs) {
  ASSERT_TRUE(trace::StartInMemory().ok());
  {
    trace::Task outer = trace::NewTask("outer");
    trace::Task inner = trace::NewTask(outer, "inner");
    const int answer = trace::WithRegion(inner, "compute", [] { return 42; });
    EXPECT_EQ(answer, 42);
    trace::Region region("alone");
    trace::Log(inner, "size", std::string(5000, 'x'));
    trace::Log("", "");
    WaitGroup other;
    other.Go([&] { inner.End(); });
    other.Wait();
    trace::Task moved = std::move(outer);
    outer.End();  // no task any more
  }
  const trace::Trace trace = StopAndCheck();
  std::map<EventType, int> counts = CountsOf(trace);
  EXPECT_EQ(counts[EventType::kUserTaskCreate], 2);
  EXPECT_EQ(counts[EventType::kUserTaskEnd], 2);
  EXPECT_EQ(counts[EventType::kUserRegion], 4);
  EXPECT_EQ(counts[EventType::kUserLog], 2);
  EXPECT_EQ(trace.messages, (std::vector<std::string>{std::string(1024, 'x'), ""}));
  for (const trace::Event& event : trace.events) {
    if (event.type == EventType::kUserRegion) {
      EXPECT_NE(event.stack, 0u);  // Go's viewer takes for granted that there is one
    }
  }
}

TEST(TraceRecorder, StacksNameTheFunctionsWithTheirLines) {
  testing::RunWith("procs=1", [] {
    ASSERT_TRUE(trace::StartInMemory().ok());
    Play(3);
    const trace::Trace trace = StopAndCheck();
    bool found = false;
    for (const trace::Event& event : trace.events) {
      if (event.type != EventType::kGoBlockSend) continue;
      for (const trace::Frame& frame : trace.stacks.at(event.stack)) {
        const std::string& function = trace.String(frame.function);
        EXPECT_THAT(function, ::testing::Not(::testing::StartsWith("gyre::internal::")));
        found |= trace.String(frame.file) == "tests/trace/recorder_test.cc" && frame.line > 60;
      }
    }
    EXPECT_TRUE(found);
  });
}

TEST(TraceRecorder, MachinesThatChange) {
  // Blocking calls that lose their processor, locked threads, and preemption inside signal handlers.
  for (const char* config : {"procs=2", "procs=2,preemption=klt", "procs=1"}) {
    testing::RunWith(config, [] {
      ASSERT_TRUE(trace::StartInMemory().ok());
      WaitGroup all;
      for (int i = 0; i < 4; ++i) {
        all.Go([] { Blocking([] { usleep(30'000); }); });
        all.Go([] {
          LockOSThread();
          for (int j = 0; j < 20; ++j) Yield();
          UnlockOSThread();
        });
        all.Go([] { Work(absl::Milliseconds(25)); });
      }
      all.Wait();
      testing::Eventually([] { return NumGoroutine() == 1; });  // Done comes before the end
      trace::Summary summary;
      const std::map<EventType, int> counts = CountsOf(StopAndCheck(&summary));
      EXPECT_EQ(summary.ended, 12u);
      EXPECT_EQ(counts.at(EventType::kGoSysCall), 5);  // Stop's own is the fifth
    });
  }
}

TEST(TraceRecorder, ForeignThreadsWakeAndSpawn) {
  Config config;
  config.procs = 2;
  Runtime runtime(config);
  runtime.Run([&] {
    ASSERT_TRUE(trace::StartInMemory().ok());
    Chan<int> chan = MakeChan<int>();
    std::thread foreign([&] {
      for (int i = 0; i < 50; ++i) chan.Send(i);
      runtime.Go([=] { chan.Send(50); });
      EXPECT_FALSE(trace::Enabled());
      EXPECT_FALSE(trace::Start("x").ok());
      trace::Log("said", "by nobody");
    });
    for (int i = 0; i <= 50; ++i) EXPECT_EQ(chan.Recv(), i);
    Blocking([&] { foreign.join(); });
    StopAndCheck();
  });
}

TEST(TraceRecorder, TheSameSeedGivesTheSameTrace) {
  auto events = [] {
    std::vector<std::tuple<EventType, int32_t, uint64_t, uint64_t>> all;
    Simulate({.config =
                  [] {
                    Config config;
                    config.procs = 16;
                    config.seed = 5;
                    return config;
                  }()},
             [&] {
               EXPECT_TRUE(trace::StartInMemory().ok());
               Play(20);
               const trace::Trace trace = StopAndCheck();
               const uint64_t first = trace.events.empty() ? 0 : trace.events[0].arguments[0];
               for (const trace::Event& event : trace.events) {
                 const uint64_t goroutine = event.goroutine == 0 ? 0 : event.goroutine - first + 1;
                 all.emplace_back(event.type, event.processor, goroutine, event.ticks);
               }
             });
    return all;
  };
  const auto once = events();
  EXPECT_GT(once.size(), 100u);
  EXPECT_EQ(once, events());
}

TEST(TraceRecorder, TheWholeRunIntoAFile) {
  for (const char* engine : {"threads", "simulation"}) {
    const std::string path = FreshFile(absl::StrCat("whole.", engine, ".trace"));
    Config config;
    config.engine = engine;
    config.procs = 3;
    config.trace = path;
    {
      Runtime runtime(config);
      EXPECT_TRUE(runtime.Run([] { Play(3000); }));  // several buffers
      Runtime second(config);
      EXPECT_TRUE(second.Run([] { Play(3); }));
    }
    absl::StatusOr<trace::Summary> summary = trace::CheckTraceBytes(FileText(path));
    ASSERT_TRUE(summary.ok()) << summary.status();
    EXPECT_EQ(summary->goroutines, 5u);
    EXPECT_EQ(summary->ended, 5u);
    EXPECT_EQ(summary->waiting_at_end, 0u);
    EXPECT_GT(summary->events, 20'000u);
    const std::string second = path.substr(0, path.rfind('.')) + ".2" + path.substr(path.rfind('.'));
    EXPECT_TRUE(trace::CheckTraceBytes(FileText(second)).ok()) << second;
    std::remove(path.c_str());
    std::remove(second.c_str());
  }
}

TEST(TraceRecorder, PerfettoFiles) {
  const std::string path = FreshFile("run") + ".json";
  testing::RunWith(absl::StrCat("procs=2,trace=", path), [] { Play(20); });
  const std::string json = FileText(path);
  EXPECT_EQ(lab::WhyNotJson(json), "");
  for (const char* part : {"\"P0\"", "\"name\":\"G", "\"ph\":\"s\"", "\"ph\":\"f\"", "\"select\""}) {
    EXPECT_THAT(json, HasSubstr(part));
  }
  std::remove(path.c_str());
}

TEST(TraceRecorder, MisuseIsAnError) {
  testing::RunWith("procs=1", [] {
    EXPECT_THAT(std::string(trace::Stop().message()), HasSubstr("not traced"));
    EXPECT_THAT(std::string(trace::Start("").message()), HasSubstr("no name"));
    EXPECT_THAT(std::string(trace::Start("/no/such/folder/x").message()), HasSubstr("No such file"));
    ASSERT_TRUE(trace::StartInMemory().ok());
    EXPECT_THAT(std::string(trace::StartInMemory().message()), HasSubstr("traced already"));
    StopAndCheck();
  });
  Config config;
  config.trace = "/no/such/folder/x";
  EXPECT_THAT(std::string(Runtime::Create(config).status().message()),
              HasSubstr("trace=/no/such/folder/x: the file cannot be written"));
}

TEST(TraceRecorder, AFullDiskIsSaid) {
  testing::RunWith("procs=1", [] {
    ASSERT_TRUE(trace::Start("/dev/full").ok());
    Play(10);
    EXPECT_THAT(std::string(trace::Stop().message()), HasSubstr("not whole"));
    ASSERT_TRUE(trace::StartInMemory().ok());  // the next one is none the worse
    Play(10);
    StopAndCheck();
  });
}

}  // namespace
}  // namespace gyre
