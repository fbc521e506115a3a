// The reader, the checker and the converter, over traces made by hand: sound ones, impossible ones, and noise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>

#include "runtime/trace/checker.h"
#include "runtime/trace/perfetto.h"
#include "runtime/trace/reader.h"
#include "tests/lab/json_checker.h"
#include "tests/trace/trace_writer.h"

namespace gyre::trace {
namespace {

using ::testing::HasSubstr;
using enum EventType;

// Two goroutines on two processors: the first makes the second and receives; the second, elsewhere, wakes it and ends.
TraceWriter Sound() {
  TraceWriter w;
  w.Batch(0, 1000).Event(kGomaxprocs, {2, 0}).Event(kProcStart, {100}).Event(kGoCreate, {1, 1, 0});
  w.Event(kGoStart, {1, 1}).Event(kGoCreate, {2, 2, 3}).Event(kGoBlockRecv, {3});
  w.Event(kProcStop);
  w.Batch(1, 1010).Event(kProcStart, {101}).Event(kGoStart, {2, 1}).Event(kUserTaskCreate, {1, 0, 4, 3});
  w.Event(kUserRegion, {1, 0, 4, 3}).Event(kUserLog, {1, 4, 3}).Text("hello \"you\"\n\xff");
  w.Event(kGoUnblock, {1, 2, 3}).Event(kUserRegion, {1, 1, 4, 3}).Event(kUserTaskEnd, {1, 3}).Event(kGoEnd);
  w.Event(kGoStart, {1, 3}).Event(kGoSched, {3}).Event(kGoStart, {1, 4}).Event(kGoSysCall, {3});
  w.Event(kGoSysBlock).Event(kProcStop);
  w.Batch(-1, 1090).Event(kGoSysExit, {1, 5, 0});
  w.Batch(0, 1100).Event(kProcStart, {100}).Event(kGoStart, {1, 6}).Event(kGoEnd).Event(kProcStop);
  w.Batch(-1, 1000).String(1, "main").String(2, "worker").String(4, "kind").String(5, "f.cc");
  w.Raw(kStack, {1, 1, 10, 1, 5, 3}).Raw(kStack, {2, 1, 11, 2, 5, 4}).Raw(kStack, {3, 2, 12, 1, 5, 5, 10, 1, 5, 3});
  return w;
}

TEST(Reader, ReadsWhatIsThere) {
  const auto trace = ReadTrace(Sound().bytes());
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->ticks_per_second, 1'000'000'000u);
  EXPECT_EQ(trace->String(2), "worker");
  EXPECT_EQ(trace->String(77), "");
  EXPECT_EQ(trace->Function(3), "main");
  EXPECT_EQ(trace->stacks.at(3).size(), 2u);
  ASSERT_EQ(trace->messages.size(), 1u);
  EXPECT_EQ(trace->messages[0], "hello \"you\"\n\xff");
  EXPECT_EQ(trace->events[3].type, kGoStart);
  EXPECT_EQ(trace->events[3].ticks, 1004u);
  EXPECT_EQ(trace->events[4].goroutine, 1u);  // who makes another is not written, but follows
}

TEST(Reader, TheSmallestUsefulTrace) {
  // Byte for byte from Go's format, section 8 of its description.
  const unsigned char bytes[] = {0x67, 0x6f, 0x20, 0x31, 0x2e, 0x31, 0x39, 0x20, 0x74, 0x72, 0x61, 0x63, 0x65, 0x00,
                                 0x00, 0x00, 0x41, 0x00, 0xe8, 0x07, 0x84, 0x00, 0x02, 0x00, 0x45, 0x0a, 0x64, 0xcd,
                                 0x04, 0x0a, 0x01, 0x01, 0x00, 0x8e, 0x0a, 0x01, 0x01, 0x57, 0x3c, 0x03, 0x06, 0x0a,
                                 0x41, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00, 0x25, 0x01,
                                 0x09, 0x6d, 0x61, 0x69, 0x6e, 0x2e, 0x6d, 0x61, 0x69, 0x6e, 0xc3, 0x07, 0x01, 0x01,
                                 0x80, 0x20, 0x01, 0x02, 0x0a, 0x02, 0x80, 0x94, 0xeb, 0xdc, 0x03};
  const auto summary = CheckTraceBytes({reinterpret_cast<const char*>(bytes), sizeof(bytes)});
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->goroutines, 1u);
  EXPECT_EQ(summary->waiting_at_end, 1u);
}

TEST(Reader, SaysWhatIsWrong) {
  const std::string header(kHeader, kHeaderBytes);
  auto error = [](const std::string& bytes) { return std::string(ReadTrace(bytes).status().message()); };
  EXPECT_THAT(error(""), HasSubstr("not a trace"));
  EXPECT_THAT(error("go 1.22 trace\0\0\0 and so on"), HasSubstr("not a trace"));
  EXPECT_THAT(error(header), HasSubstr("Frequency"));
  EXPECT_THAT(error(header + "\x3f"), HasSubstr("no event of type 63"));
  EXPECT_THAT(error(TraceWriter().Event(kProcStop).bytes()), HasSubstr("before the first batch"));
  EXPECT_THAT(error(TraceWriter().Batch(0, 1).Event(kGoStart, {1}).bytes()),
              HasSubstr("GoStart has 2 numbers and should have 3"));
  EXPECT_THAT(error(TraceWriter().Batch(0, ~uint64_t{0}).Event(kProcStop).bytes()), HasSubstr("beyond 64 bits"));
  EXPECT_THAT(error(TraceWriter().Batch(-5, 1).bytes()), HasSubstr("no possible processor"));
  EXPECT_THAT(error(TraceWriter().Batch(0, 1).String(0, "a").bytes()), HasSubstr("no number"));
  EXPECT_THAT(error(TraceWriter().Batch(0, 1).String(1, "a").String(1, "b").bytes()), HasSubstr("twice"));
  EXPECT_THAT(error(TraceWriter().Batch(0, 1).String(1, "").bytes()), HasSubstr("empty"));
  EXPECT_THAT(error(TraceWriter().Batch(0, 1).Raw(kStack, {1, 1000000000, 1, 1}).bytes()), HasSubstr("size"));
  EXPECT_THAT(error(TraceWriter().bytes() + "\x45\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01"), HasSubstr("64 bits"));
  EXPECT_THAT(error(TraceWriter().bytes() + "\xc3\xff\xff\xff\xff\x7f"), HasSubstr("longer than the file"));
}

TEST(Reader, EveryPrefixIsReadOrRefused) {
  const std::string bytes = Sound().bytes();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto summary = CheckTraceBytes(absl::string_view(bytes).substr(0, length));
    if (!summary.ok()) {
      EXPECT_NE(summary.status().message(), "");
    }
  }
}

TEST(Reader, NoiseIsReadOrRefused) {
  const std::string bytes = Sound().bytes();
  std::mt19937 random(7);
  int refused = 0;
  constexpr int kRounds = 20000;
  for (int round = 0; round < kRounds; ++round) {
    std::string noisy = bytes;
    for (int flips = 1 + static_cast<int>(random() % 4); flips > 0; --flips) {
      noisy[kHeaderBytes + random() % (noisy.size() - kHeaderBytes)] = static_cast<char>(random());
    }
    const auto json = PerfettoJsonOf(noisy);
    refused += !json.ok();
    if (json.ok()) {
      ASSERT_EQ(lab::WhyNotJson(*json), "") << round;
    }
  }
  EXPECT_GT(refused, kRounds / 4);
}

TEST(Checker, AcceptsASoundTraceAndCounts) {
  auto trace = ReadTrace(Sound().bytes());
  ASSERT_TRUE(trace.ok()) << trace.status();
  const auto summary = CheckTrace(&*trace);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->goroutines, 2u);
  EXPECT_EQ(summary->ended, 2u);
  EXPECT_EQ(summary->parks, 1u);
  EXPECT_EQ(summary->readies, 1u);
  EXPECT_EQ(summary->starts, 5u);
  EXPECT_EQ(summary->waiting_at_end, 0u);
  EXPECT_EQ(summary->processors, 2u);
  EXPECT_EQ(trace->events.front().ticks, 0u);
  for (size_t i = 1; i < trace->events.size(); ++i) EXPECT_LE(trace->events[i - 1].ticks, trace->events[i].ticks);
}

// A trace that ends with an impossible event, and what is said of it.
struct Impossible {
  const char* name;
  std::function<void(TraceWriter&)> end;
  const char* complaint;
};

class CheckerRefuses : public ::testing::TestWithParam<Impossible> {};

TEST_P(CheckerRefuses, It) {
  TraceWriter w;  // processor 0 runs goroutine 1, which has made 2, and 3, which waits on processor 1
  w.Batch(0, 1000).Event(kGomaxprocs, {2, 0}).Event(kProcStart, {100}).Event(kGoCreate, {1, 0, 0});
  w.Event(kGoStart, {1, 1}).Event(kGoCreate, {2, 0, 0}).Event(kGoCreate, {3, 0, 0});
  w.Batch(1, 1100).Event(kProcStart, {101}).Event(kGoStart, {3, 1}).Event(kGoBlockSync, {0});
  w.Batch(0, 1200);
  ASSERT_TRUE(CheckTraceBytes(w.bytes()).ok());
  GetParam().end(w);
  const auto summary = CheckTraceBytes(w.bytes());
  ASSERT_FALSE(summary.ok());
  EXPECT_THAT(summary.status().message(), HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Checker, CheckerRefuses,
    ::testing::Values(
        Impossible{"StartOfOneThatWaits",
                   [](auto& w) {
                     w.Event(kGoSched, {0}).Event(kGoStart, {3, 2});
                   },
                   "goroutine 3 is waiting"},
        Impossible{"StartOfOneThatRuns",
                   [](auto& w) {
                     w.Batch(1, 1300).Event(kGoStart, {1, 2});
                   },
                   "goroutine 1 is running"},
        Impossible{"StartOverAnother",
                   [](auto& w) {
                     w.Event(kGoStart, {2, 1});
                   },
                   "processor runs goroutine 1"},
        Impossible{"StartWithoutProcessor",
                   [](auto& w) {
                     w.Batch(2, 1300).Event(kGoStart, {2, 1});
                   },
                   "is not started"},
        Impossible{"DoubleReady",
                   [](auto& w) {
                     w.Event(kGoUnblock, {3, 2, 0}).Event(kGoUnblock, {3, 3, 0});
                   },
                   "goroutine 3 is runnable"},
        Impossible{"ReadyOfOneThatRuns",
                   [](auto& w) {
                     w.Event(kGoUnblock, {1, 2, 0});
                   },
                   "goroutine 1 is running"},
        Impossible{"ReadyOutOfTurn",
                   [](auto& w) {
                     w.Event(kGoUnblock, {3, 9, 0});
                   },
                   "its next event has number 2"},
        Impossible{"ReadyByNobody",
                   [](auto& w) {
                     w.Event(kGoUnblock, {9, 1, 0});
                   },
                   "goroutine 9 is not made yet"},
        Impossible{"MadeTwice",
                   [](auto& w) {
                     w.Event(kGoCreate, {2, 0, 0});
                   },
                   "goroutine 2 is runnable"},
        Impossible{"BlockOnAnIdleProcessor", [](auto& w) { w.Batch(1, 1300).Event(kGoBlockSend, {0}); },
                   "no goroutine runs"},
        Impossible{"EndTwice", [](auto& w) { w.Event(kGoEnd).Event(kGoEnd); }, "no goroutine runs"},
        Impossible{"ProcessorStartsTwice", [](auto& w) { w.Batch(1, 1300).Event(kProcStart, {101}); },
                   "started already"},
        Impossible{"ProcessorStopsUnderAGoroutine", [](auto& w) { w.Event(kProcStop); }, "runs goroutine 1"},
        Impossible{"ProcessorStopsTwice", [](auto& w) { w.Batch(1, 1300).Event(kProcStop).Event(kProcStop); },
                   "is not started"},
        Impossible{"BackInTime",
                   [](auto& w) {
                     w.Event(kGoUnblock, {3, 2, 0}).Batch(1, 1150).Event(kGoStart, {3, 3});
                   },
                   "its time is before"},
        Impossible{"LateBatch",
                   [](auto& w) {
                     w.Event(kGoSched, {0}).Batch(0, 1001).Event(kGoStart, {2, 1});
                   },
                   "its time is before"},
        Impossible{"RegionsThatCross",
                   [](auto& w) {
                     w.String(1, "a").String(2, "b").Event(kUserRegion, {0, 0, 1, 0}).Event(kUserRegion, {0, 0, 2, 0});
                     w.Event(kUserRegion, {0, 1, 1, 0});
                   },
                   "not the innermost region"},
        Impossible{"RegionOfNoKind",
                   [](auto& w) {
                     w.Event(kUserRegion, {0, 2, 1, 0});
                   },
                   "neither begins nor ends"},
        Impossible{"TaskTwice",
                   [](auto& w) {
                     w.Event(kUserTaskCreate, {5, 0, 1, 0}).Event(kUserTaskCreate, {5, 0, 1, 0});
                   },
                   "begun before"},
        Impossible{"TaskEndsTwice",
                   [](auto& w) {
                     w.Event(kUserTaskCreate, {5, 0, 1, 0}).Event(kUserTaskEnd, {5, 0}).Event(kUserTaskEnd, {5, 0});
                   },
                   "ended before"},
        Impossible{"ReturnFromNoCall",
                   [](auto& w) {
                     w.Event(kGoSysExit, {3, 2, 0});
                   },
                   "goroutine 3 is waiting"}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(Perfetto, TracksAndArrows) {
  const auto json = PerfettoJsonOf(Sound().bytes());
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(lab::WhyNotJson(*json), "");
  EXPECT_THAT(*json, HasSubstr("\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"thread_name\",\"args\":{\"name\":\"P1\"}"));
  EXPECT_THAT(*json,
              HasSubstr("\"ph\":\"M\",\"pid\":2,\"tid\":2,\"name\":\"thread_name\",\"args\":{\"name\":\"G2 worker\"}"));
  EXPECT_THAT(*json, HasSubstr("\"ph\":\"s\",\"cat\":\"wake\",\"name\":\"wake\",\"id\":2,\"pid\":2,\"tid\":2,"));
  EXPECT_THAT(*json,
              HasSubstr("\"ph\":\"f\",\"bp\":\"e\",\"cat\":\"wake\",\"name\":\"wake\",\"id\":2,\"pid\":2,\"tid\":1,"));
  EXPECT_THAT(*json, HasSubstr("\"name\":\"chan receive\""));
  EXPECT_THAT(*json, HasSubstr("hello \\\"you\\\"\\n\\u00ff"));
}

}  // namespace
}  // namespace gyre::trace
