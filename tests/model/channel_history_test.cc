// Random programs over channels: what they did must be explained by a sequential model of Go's channels. The programs
// run under the whole matrix of configurations, on threads and in the simulator, and under explored schedules.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "channels/chan.h"
#include "channels/dynamic_select.h"
#include "channels/select.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/simulation/explore.h"
#include "sync/wait_group.h"
#include "tests/model/linearizable.h"
#include "tests/model/seeds.h"
#include "tests/testing/runtime_test.h"

namespace gyre::testing {
namespace {

enum class Kind { kSend, kRecv, kTrySend, kTryRecv, kClose, kLen, kSelect };

struct Case {
  bool is_send;
  int chan;
  int value;
};

struct Op {
  Kind kind = Kind::kSend;
  std::vector<Case> cases;  // one, unless it is a select
  bool otherwise = false;   // the select has a default
};

struct Result {
  enum What { kDone, kWouldWait, kClosed, kPanic } what = kDone;
  int chosen = 0;  // case of a select
  int value = 0;   // received, or the length
};

using ChanCall = Call<Op, Result>;

std::string Describe(const ChanCall& call) {
  static const char* const kKinds[] = {"send", "recv", "try-send", "try-recv", "close", "len", "select"};
  static const char* const kResults[] = {"done", "would wait", "closed", "panic"};
  std::string text = absl::StrCat("  g", call.goroutine, " [", call.called, ", ", call.returned, "] ",
                                  kKinds[static_cast<int>(call.op.kind)]);
  for (const Case& c : call.op.cases)
    absl::StrAppend(&text, " ", c.is_send ? "to " : "from ", c.chan, "(", c.value, ")");
  absl::StrAppend(&text, call.op.otherwise ? " default" : "", " -> ", kResults[call.result.what], " case ",
                  call.result.chosen, " value ", call.result.value, "\n");
  return text;
}

class Model {
 public:
  explicit Model(const std::vector<int>& caps) {
    for (int cap : caps) chans_.push_back({cap, false, {}});
  }

  bool Apply(const ChanCall& call) {
    const Result& result = call.result;
    if (result.what == Result::kWouldWait) {
      for (const Case& c : call.op.cases) {
        if (MustBeReady(c)) return false;
      }
      return true;
    }
    const Case& c = call.op.cases[result.chosen];
    Chan& ch = chans_[c.chan];
    switch (call.op.kind) {
      case Kind::kClose:
        if (result.what == Result::kPanic) return ch.closed;
        if (ch.closed) return false;
        ch.closed = true;
        return true;
      case Kind::kLen:
        return result.value == static_cast<int>(ch.buffer.size());
      default:
        break;
    }
    if (c.is_send) {
      if (ch.closed) return result.what == Result::kPanic;
      if (result.what != Result::kDone || static_cast<int>(ch.buffer.size()) == ch.cap) return false;
      ch.buffer.push_back(c.value);
      return true;
    }
    if (ch.buffer.empty()) return ch.closed && result.what == Result::kClosed && result.value == 0;
    if (result.what != Result::kDone || ch.buffer.front() != result.value) return false;
    ch.buffer.pop_front();
    return true;
  }

  // A sender and a receiver meet.
  bool ApplyTogether(const ChanCall& a, const ChanCall& b) {
    if (a.result.what != Result::kDone || b.result.what != Result::kDone) return false;
    if (a.op.kind >= Kind::kClose && a.op.kind != Kind::kSelect) return false;
    if (b.op.kind >= Kind::kClose && b.op.kind != Kind::kSelect) return false;
    const Case& send = a.op.cases[a.result.chosen];
    const Case& receive = b.op.cases[b.result.chosen];
    if (!send.is_send || receive.is_send || send.chan != receive.chan) return false;
    const Chan& ch = chans_[send.chan];
    return ch.cap == 0 && !ch.closed && send.value == b.result.value;
  }

  std::string Fingerprint() const {
    std::string text;
    for (const Chan& ch : chans_) {
      text += ch.closed ? '|' : ';';
      for (int v : ch.buffer) absl::StrAppend(&text, v, ",");
    }
    return text;
  }

 private:
  struct Chan {
    int cap;
    bool closed;
    std::deque<int> buffer;
  };

  // Whether nobody may say that this case would have to wait. (Whether somebody waits at an unbuffered channel, the
  // history does not tell.)
  bool MustBeReady(const Case& c) const {
    const Chan& ch = chans_[c.chan];
    if (ch.closed) return true;
    if (ch.cap == 0) return false;
    return c.is_send ? static_cast<int>(ch.buffer.size()) < ch.cap : !ch.buffer.empty();
  }

  std::vector<Chan> chans_;
};

// A random program: some channels, and what each goroutine does.
struct Program {
  std::vector<int> caps;
  std::vector<std::vector<Op>> goroutines;
};

Program MakeProgram(uint64_t seed) {
  Random random(seed);
  Program program;
  const int chans = 1 + random.Below(3);
  for (int i = 0; i < chans; ++i) program.caps.push_back(random.Below(3));
  const int goroutines = 2 + random.Below(4);
  int next_value = 1;
  for (int g = 0; g < goroutines; ++g) {
    std::vector<Op>& ops = program.goroutines.emplace_back();
    const int count = 1 + random.Below(5);
    for (int i = 0; i < count; ++i) {
      Op& op = ops.emplace_back();
      const int what = random.Below(20);
      op.kind = what < 5    ? Kind::kSend
                : what < 10 ? Kind::kRecv
                : what < 12 ? Kind::kTrySend
                : what < 14 ? Kind::kTryRecv
                : what < 15 ? Kind::kLen
                : what < 16 ? Kind::kClose
                            : Kind::kSelect;
      const int cases = op.kind == Kind::kSelect ? 1 + random.Below(4) : 1;
      for (int c = 0; c < cases; ++c) {
        const bool is_send =
            op.kind == Kind::kSelect ? random.OneIn(2) : op.kind == Kind::kSend || op.kind == Kind::kTrySend;
        op.cases.push_back({is_send, random.Below(chans), is_send ? next_value++ : 0});
      }
      op.otherwise = op.kind == Kind::kSelect && random.OneIn(3);
    }
  }
  return program;
}

Result Select(const Op& op, const std::vector<Chan<int>>& chans) {
  Result result;
  std::vector<SelectCase> cases;
  for (const Case& c : op.cases) {
    if (c.is_send) {
      cases.push_back(chans[c.chan].OnSend(c.value));
    } else {
      cases.push_back(chans[c.chan].OnRecv([&result](int v, bool ok) {
        result.value = v;
        if (!ok) result.what = Result::kClosed;
      }));
    }
  }
  if (op.otherwise) cases.push_back(Default([&result] { result.what = Result::kWouldWait; }));
  try {
    result.chosen = SelectDynamic(absl::MakeSpan(cases));
  } catch (const RuntimeError&) {
    // One of its sends was to a closed channel; which one, it does not say: Explain tries them.
    result.what = Result::kPanic;
    result.chosen = -1;
  }
  return result;
}

Result Do(const Op& op, const std::vector<Chan<int>>& chans) {
  const Case& c = op.cases[0];
  const Chan<int>& ch = chans[c.chan];
  Result result;
  try {
    switch (op.kind) {
      case Kind::kSend:
        ch.Send(c.value);
        break;
      case Kind::kRecv:
        if (!ch.Recv(result.value)) result.what = Result::kClosed;
        break;
      case Kind::kTrySend:
        if (!ch.TrySend(c.value)) result.what = Result::kWouldWait;
        break;
      case Kind::kTryRecv: {
        bool ok = false;
        if (!ch.TryRecv(result.value, ok)) {
          result.what = Result::kWouldWait;
        } else if (!ok) {
          result.what = Result::kClosed;
        }
        break;
      }
      case Kind::kClose:
        ch.Close();
        break;
      case Kind::kLen:
        result.value = static_cast<int>(ch.Len());
        break;
      case Kind::kSelect:
        return Select(op, chans);
    }
  } catch (const RuntimeError&) {
    result.what = Result::kPanic;
  }
  return result;
}

// Runs it in the calling goroutine's runtime. What is still blocked after a while is ended by closing the channels,
// which is part of the history.
std::vector<ChanCall> RunProgram(const Program& program) {
  struct Shared {
    HistoryClock clock;
    std::vector<Chan<int>> chans;
    std::vector<std::vector<ChanCall>> calls;
    std::atomic<int> left{0};
  } shared;
  for (int cap : program.caps) shared.chans.push_back(MakeChan<int>(cap));
  const int n = static_cast<int>(program.goroutines.size());
  shared.calls.resize(n + 1);
  shared.left = n;
  const auto record = [&shared](int goroutine, const Op& op) {
    ChanCall call{goroutine, op, {}, shared.clock.Tick(), 0};
    call.result = Do(op, shared.chans);
    call.returned = shared.clock.Tick();
    shared.calls[goroutine].push_back(call);
  };
  WaitGroup wg;
  for (int g = 0; g < n; ++g) {
    wg.Go([&, g] {
      for (const Op& op : program.goroutines[g]) record(g, op);
      --shared.left;
    });
  }
  for (int i = 0; i < 30 && shared.left != 0; ++i) Yield();
  if (shared.left != 0) Sleep(absl::Microseconds(20));
  for (int i = 0; i < static_cast<int>(shared.chans.size()); ++i) record(n, {Kind::kClose, {{false, i, 0}}, false});
  wg.Wait();
  std::vector<ChanCall> history;
  for (const auto& calls : shared.calls) history.insert(history.end(), calls.begin(), calls.end());
  return history;
}

// Whether the model explains it, for one choice of the closed channel that each panicking select sent to.
bool Explained(const Program& program, std::vector<ChanCall> history, size_t from = 0) {
  for (size_t i = from; i < history.size(); ++i) {
    if (history[i].result.chosen >= 0) continue;
    for (size_t c = 0; c < history[i].op.cases.size(); ++c) {
      if (!history[i].op.cases[c].is_send) continue;
      history[i].result.chosen = static_cast<int>(c);
      if (Explained(program, history, i + 1)) return true;
    }
    return false;
  }
  return LinearizabilityCheck<Model, ChanCall>(history).Holds(Model(program.caps));
}

// Empty if all is well.
std::string Check(uint64_t seed) {
  const Program program = MakeProgram(seed);
  const std::vector<ChanCall> history = RunProgram(program);
  if (Explained(program, history)) return "";
  std::string text = absl::StrCat("seed ", seed, ": no order explains this; capacities");
  for (int cap : program.caps) absl::StrAppend(&text, " ", cap);
  text += "\n";
  for (const ChanCall& call : history) text += Describe(call);
  return text;
}

GYRE_TEST(ChannelHistories, AreThoseOfGosChannels) {
  for (uint64_t seed : Seeds(Scaled(60))) {
    const std::string failure = Check(seed);
    ASSERT_EQ(failure, "");
  }
}

// The same programs, but each in many orders: at every runtime call another goroutine may come in between.
TEST(ChannelHistories, UnderExploredSchedules) {
  for (const char* strategy : {"random", "pct"}) {
    for (uint64_t seed : Seeds(Scaled(60))) {
      ExploreOptions options;
      options.strategy = strategy;
      options.seed = seed;
      options.runs = 20;
      options.shrink = false;
      const Exploration found = Explore(options, [seed] {
        const std::string failure = Check(seed);
        if (!failure.empty()) Panic(failure);
      });
      ASSERT_FALSE(found.failed) << strategy << ", seed " << seed << "\n" << found.ToString();
    }
  }
}

// The check itself: it must not believe everything.
TEST(ChannelHistories, TheCheckFindsWhatIsWrong) {
  const auto send = [](int g, int value, uint64_t from, uint64_t to) {
    return ChanCall{g, {Kind::kSend, {{true, 0, value}}, false}, {}, from, to};
  };
  const auto receive = [](int g, int value, uint64_t from, uint64_t to) {
    return ChanCall{g, {Kind::kRecv, {{false, 0, 0}}, false}, {Result::kDone, 0, value}, from, to};
  };
  const auto holds = [](int cap, std::vector<ChanCall> history) {
    return LinearizabilityCheck<Model, ChanCall>(history).Holds(Model({cap}));
  };
  EXPECT_TRUE(holds(0, {send(0, 1, 0, 3), receive(1, 1, 1, 2)}));
  EXPECT_FALSE(holds(0, {send(0, 1, 0, 1), receive(1, 1, 2, 3)}));  // a send that nobody waited for
  EXPECT_TRUE(holds(1, {send(0, 1, 0, 1), receive(1, 1, 2, 3)}));
  EXPECT_FALSE(holds(1, {send(0, 1, 0, 1), send(0, 2, 2, 3), receive(1, 1, 4, 5), receive(1, 2, 6, 7)}));  // no room
  EXPECT_FALSE(
      holds(2, {send(0, 1, 0, 1), send(0, 2, 2, 3), receive(1, 2, 4, 5), receive(1, 1, 6, 7)}));  // out of order
  EXPECT_FALSE(holds(2, {send(0, 1, 0, 1), receive(1, 1, 2, 3), receive(2, 1, 4, 5)}));           // twice
}

}  // namespace
}  // namespace gyre::testing
