// The leak finder on a corpus: programs that leak goroutines for certain, by construction, of which none may be missed,
// and sound ones that leave goroutines waiting, of which none may be called leaked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "gyre.h"
#include "runtime/park.h"
#include "tests/testing/runtime_test.h"

// The examples that leak, run by the leak finder: their `gyre::Main(argc, argv, body)` becomes a LeakCheck of the body.
namespace gyre {
static std::vector<Leak> example_leaks;
template <typename F>
int LeakCheckExample(int, char**, F&& body) {
  example_leaks = LeakCheck(body);
  return 0;
}
}  // namespace gyre
#define Main LeakCheckExample
#define main LeakBlockedChannelExample
#include "examples/leak_blocked_channel.cc"
#undef main
#define main LeakNoTimeoutExample
#include "examples/leak_no_timeout.cc"
#undef main
#define main LeakInfiniteLoopExample
#include "examples/leak_infinite_loop.cc"
#undef main
#undef Main

namespace gyre::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

struct Program {
  const char* name;
  int leaks;  // for certain
  std::function<void()> body;
  int suspects = 0;

  friend void PrintTo(const Program& program, std::ostream* out) { *out << program.name; }
};

constexpr absl::Duration kLong = absl::Hours(1);

// ---- those that leak ----

struct State {
  Chan<int> chan = MakeChan<int>();
  Mutex a, b;
  Cond changed{&a};
  WaitGroup group;
  RWMutex rw;
  Once once;
  Semaphore semaphore{1};
};

std::atomic<bool> leak_test_stop{false};

std::vector<Program> Leaking() {
  return {
      {"ReceiveFromAForgottenChannel", 1,
       [] {
         Chan<int> chan = MakeChan<int>();
         Go([chan] { chan.Recv(); });
       }},
      {"SendToAForgottenChannel", 1,
       [] {
         Chan<int> chan = MakeChan<int>();
         Go([chan] { chan.Send(1); });
       }},
      {"AFullBuffer", 1,
       [] {
         Chan<int> chan = MakeChan<int>(2);
         Go([chan] {
           for (int i = 0; i < 3; ++i) chan.Send(i);
         });
       }},
      {"RangeOverAChannelThatIsNeverClosed", 1,
       [] {
         Chan<int> chan = MakeChan<int>();
         Go([chan] {
           for (int value : chan) (void)value;
         });
         for (int i = 0; i < 5; ++i) chan.Send(i);
       }},
      {"SelectOfOne", 1,
       [] {
         Chan<int> chan = MakeChan<int>();
         Go([chan] { Select(chan.OnRecv([](int) {})); });
       }},
      {"SelectOfSeveral", 1,
       [] {
         Chan<int> a = MakeChan<int>(), b = MakeChan<int>();
         Go([a, b] { Select(a.OnRecv([](int) {}), b.OnSend(1)); });
       }},
      {"ReceiveFromNil", 1, [] { Go([] { Chan<int>().Recv(); }); }},
      {"SendToNil", 1, [] { Go([] { Chan<int>().Send(1); }); }},
      {"SelectOfNothing", 1, [] { Go([] { internal::ParkForever(WaitReason::kSelectNoCases); }); }},
      {"AMissingDone", 1,
       [] {
         auto state = std::make_shared<State>();
         state->group.Add(2);
         Go([state] { state->group.Done(); });
         Go([state] { state->group.Wait(); });
       }},
      {"LockedTwice", 1,
       [] {
         Go([] {
           Mutex mu;
           mu.Lock();
           mu.Lock();
         });
       }},
      {"LockedInBothOrders", 2,
       [] {
         auto state = std::make_shared<State>();
         auto both = std::make_shared<std::atomic<int>>(0);
         for (bool flip : {false, true}) {
           Go([state, both, flip] {
             (flip ? state->a : state->b).Lock();
             ++*both;
             while (*both < 2) Yield();
             (flip ? state->b : state->a).Lock();
           });
         }
       }},
      {"ARing", 3,
       [] {
         std::vector<Chan<int>> ring;
         for (int i = 0; i < 3; ++i) ring.push_back(MakeChan<int>());
         for (int i = 0; i < 3; ++i) {
           Go([from = ring[i], to = ring[(i + 1) % 3]] { to.Send(from.Recv()); });
         }
       }},
      {"ACondThatNobodySignals", 1,
       [] {
         auto state = std::make_shared<State>();
         Go([state] {
           state->a.Lock();
           state->changed.Wait();
         });
       }},
      {"AChannelInSharedState", 2,
       [] {
         auto state = std::make_shared<State>();
         for (int i = 0; i < 2; ++i) Go([state] { state->chan.Recv(); });
       }},
      {"AForgottenWorkerPool", 3,
       [] {
         Chan<int> tasks = MakeChan<int>(4), results = MakeChan<int>(16);
         for (int i = 0; i < 3; ++i) {
           Go([tasks, results] {
             for (int task : tasks) results.Send(2 * task);
           });
         }
         for (int i = 0; i < 8; ++i) tasks.Send(i);
         for (int i = 0; i < 8; ++i) results.Recv();
       }},
      {"TheFirstAnswerWins", 2,
       [] {
         Chan<int> answers = MakeChan<int>();
         for (int i = 0; i < 3; ++i) Go([answers, i] { answers.Send(i); });
         answers.Recv();
       }},
      {"AContextThatNobodyCancels", 1,
       [] {
         auto [ctx, cancel] = context::WithCancel(context::Background());
         Go([ctx = ctx] { ctx.Done().Recv(); });
       }},
      {"AChannelInsideAForgottenChannel", 2,
       [] {
         Chan<Chan<int>> outer = MakeChan<Chan<int>>(2);
         Chan<int> inner = MakeChan<int>();
         outer.Send(inner);
         Go([outer] {
           outer.Recv();
           outer.Recv();
         });
         Go([inner] { inner.Recv(); });
       }},
      {"AReaderThatWantsToWrite", 1,
       [] {
         auto state = std::make_shared<State>();
         Go([state] {
           state->rw.RLock();
           state->rw.Lock();
         });
       }},
      {"OnceWithinItself", 1,
       [] {
         auto state = std::make_shared<State>();
         Go([state] { state->once.Do([&] { state->once.Do([] {}); }); });
       }},
      {"MoreThanASemaphoreHolds", 2,
       [] {
         auto state = std::make_shared<State>();
         Go([state] { state->semaphore.Acquire(2); });
         Go([state] {
           state->semaphore.Acquire(1);
           state->semaphore.Acquire(1);
         });
       }},
      {"BothReceive", 2,
       [] {
         Chan<int> a = MakeChan<int>(), b = MakeChan<int>();
         Go([a, b] { a.Send(b.Recv()); });
         Go([a, b] { b.Send(a.Recv()); });
       }},
      {"ComputesForEver", 0,
       [] {
         Go([] {
           while (!leak_test_stop) {
           }
         });
       },
       1},
  };
}

// ---- those that do not ----

Chan<int> global_chan;
std::shared_ptr<State> global_state;
std::map<int, std::list<std::shared_ptr<State>>> global_map;
Chan<Chan<int>> global_chan_of_chans;
std::function<void()> global_function;
Cond* global_cond;
Mutex global_mutex;

void ForgetGlobals() {
  global_chan = nullptr;
  global_state = nullptr;
  global_map.clear();
  global_chan_of_chans = nullptr;
  global_function = nullptr;
}

std::vector<Program> Sound(Chan<int> outside) {
  return {
      {"NothingIsLeft", 0,
       [] {
         Chan<int> chan = MakeChan<int>();
         Go([chan] { chan.Send(1); });
         chan.Recv();
       }},
      {"AGlobalChannel", 0,
       [] {
         global_chan = MakeChan<int>();
         Go([] { global_chan.Recv(); });
         Go([chan = global_chan] { chan.Recv(); });
       }},
      {"AChannelOfTheCaller", 0, [outside] { Go([outside] { outside.Recv(); }); }},
      {"AChannelInsideAnObjectThatAGlobalPointsTo", 0,
       [] {
         global_state = std::make_shared<State>();
         Go([chan = global_state->chan] { chan.Recv(); });
         Go([state = global_state.get()] { state->chan.Send(1); });
         Go([state = global_state] { state->group.Add(1), state->group.Wait(); });
       }},
      {"DeepInsideAContainer", 0,
       [] {
         for (int i = 0; i < 20; ++i) {
           global_map[i % 5].push_back(std::make_shared<State>());
           Go([chan = global_map[i % 5].back()->chan] { chan.Recv(); });
         }
       }},
      {"ASleeperHoldsIt", 0,
       [] {
         Chan<int> chan = MakeChan<int>();
         Go([chan] { chan.Recv(); });
         Go([chan] {
           Sleep(kLong);
           chan.Send(1);
         });
       }},
      {"ASleeperHoldsAReferenceToAHandleOfTheOneWhoWaits", 0,
       [] {
         Go([] {
           Chan<int> chan = MakeChan<int>();
           Go([&chan] {
             Sleep(kLong);
             chan.Send(1);
           });
           chan.Recv();
         });
       }},
      {"AFunctionTimerHoldsIt", 0,
       [] {
         Chan<int> chan = MakeChan<int>();
         AfterFunc(kLong, [chan] { chan.Send(1); });
         Go([chan] { chan.Recv(); });
       }},
      {"ATimersChannel", 0, [] { Go([] { After(kLong).Recv(); }); }},
      {"ASelectWithATimeout", 0,
       [] {
         Chan<int> chan = MakeChan<int>();
         Go([chan] { Select(chan.OnRecv([](int) {}), After(kLong).OnRecv([](absl::Time) {})); });
       }},
      {"ATicker", 0,
       [] {
         Ticker ticker = NewTicker(kLong);
         Go([ticker] { ticker.C.Recv(); });
       }},
      {"AMutexWhoseHolderSleeps", 0,
       [] {
         auto state = std::make_shared<State>();
         state->a.Lock();
         Go([state] {
           Sleep(kLong);
           state->a.Unlock();
         });
         for (int i = 0; i < 3; ++i) Go([state] { state->a.Lock(); });
       }},
      {"AWaitGroupWhoseWorkerSleeps", 0,
       [] {
         Go([] {
           WaitGroup group;
           group.Go([] { Sleep(kLong); });
           group.Wait();
         });
       }},
      {"ACondThatAGlobalPointsTo", 0,
       [] {
         if (global_cond == nullptr) global_cond = new Cond(&global_mutex);
         for (int i = 0; i < 3; ++i) {
           Go([] {
             global_mutex.Lock();
             global_cond->Wait();
           });
         }
       }},
      {"AReaderWhoseWriterSleeps", 0,
       [] {
         auto state = std::make_shared<State>();
         state->rw.Lock();
         Go([state] { state->rw.RLock(); });
         Go([state] {
           Sleep(kLong);
           state->rw.Unlock();
         });
       }},
      {"APipelineWhoseSourceSleeps", 0,
       [] {
         Chan<int> a = MakeChan<int>(), b = MakeChan<int>(), c = MakeChan<int>();
         Go([a] {
           Sleep(kLong);
           a.Send(1);
         });
         Go([a, b] { b.Send(a.Recv()); });
         Go([b, c] { c.Send(b.Recv()); });
         Go([c] { c.Recv(); });
       }},
      {"ASemaphoreWhoseHolderSleeps", 0,
       [] {
         auto state = std::make_shared<State>();
         state->semaphore.Acquire(1);
         Go([state] {
           Sleep(kLong);
           state->semaphore.Release(1);
         });
         Go([state] { state->semaphore.Acquire(1); });
       }},
      {"AContextWithADeadline", 0,
       [] {
         auto [ctx, cancel] = context::WithTimeout(context::Background(), kLong);
         Go([ctx = ctx] { ctx.Done().Recv(); });
       }},
      {"AContextWhoseCancelIsKept", 0,
       [] {
         auto [ctx, cancel] = context::WithCancel(context::Background());
         global_function = [cancel = cancel] { cancel(); };
         auto [child, cancel_child] = context::WithCancel(ctx);
         Go([child = child] { child.Done().Recv(); });
       }},
      {"AChannelInAGlobalChannelsBuffer", 0,
       [] {
         global_chan_of_chans = MakeChan<Chan<int>>(4);
         Chan<int> chan = MakeChan<int>();
         global_chan_of_chans.Send(chan);
         Go([chan] { chan.Recv(); });
       }},
      {"AForeignThreadHoldsIt", 0,
       [] {
         Chan<int> chan = MakeChan<int>();
         auto begun = std::make_shared<std::atomic<bool>>(false);
         std::thread([chan, begun] {
           *begun = true;
           // Woken by the signals that stop the world, so in pieces.
           for (int i = 0; i < 600 && !leak_test_stop; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
         }).detach();
         while (!*begun) Yield();
         Go([chan] { chan.Recv(); });
       }},
      {"ABlockingCallHoldsIt", 0,
       [] {
         Chan<int> chan = MakeChan<int>();
         Go([chan] {
           Blocking([] {
             for (int i = 0; i < 600 && !leak_test_stop; ++i)
               std::this_thread::sleep_for(std::chrono::milliseconds(100));
           });
         });
         Go([chan] { chan.Recv(); });
       }},
      {"OneThatComputesAndCallsTheRuntimeHoldsIt", 0,
       [] {
         Chan<int> chan = MakeChan<int>();
         Go([chan] {
           while (!leak_test_stop) Yield();
         });
         Go([chan] { chan.Recv(); });
       }},
  };
}

// Runs the program once; returns what was found.
std::vector<Leak> RunProgram(const std::string& text, const std::function<void()>& body) {
  Config config;
  EXPECT_TRUE(config.Apply(text).ok());
  Runtime runtime(config);
  std::vector<Leak> leaks;
  leak_test_stop = false;
  runtime.Run([&] {
    leaks = LeakCheck(body);
    leak_test_stop = true;
  });
  ForgetGlobals();
  return leaks;
}

std::string Listed(const std::vector<Leak>& leaks) {
  std::ostringstream text;
  for (const Leak& leak : leaks) text << leak << "\n";
  return text.str();
}

constexpr const char* kConfigs[] = {"procs=2", "procs=4,scheduler=global,stack=fixed,preemption=none",
                                    "procs=2,preemption=klt"};

// What a child does: one program, in a process of its own, for what one leaves in memory would be no part of the next.
void RunAndExit(const char* config, const Program& program) {
  const std::vector<Leak> leaks = RunProgram(config, program.body);
  int certain = 0, suspected = 0;
  bool traced = true;
  for (const Leak& leak : leaks) {
    ++(leak.certain ? certain : suspected);
    traced &=
        leak.trace.find("leak_test.cc:") != std::string::npos && leak.trace.find("created by ") != std::string::npos;
  }
  std::fprintf(stderr, "%d certain, %d suspected, %s\n%s", certain, suspected, traced ? "traced" : "not traced",
               Listed(leaks).c_str());
  std::fflush(stderr);
  // Under asynchronous preemption nobody is suspected.
  const int suspects = std::string(config).find("klt") != std::string::npos ? 0 : program.suspects;
  _exit(certain == program.leaks && suspected == suspects && traced ? 0 : 1);
}

class CorpusDeathTest : public ::testing::TestWithParam<std::tuple<const char*, Program>> {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "the leak finder does not know this malloc";
  }
};

std::string NameOf(const ::testing::TestParamInfo<std::tuple<const char*, Program>>& info) {
  std::string config = std::get<0>(info.param);
  for (char& c : config) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return std::string(std::get<1>(info.param).name) + "_" + config;
}

class LeakingDeathTest : public CorpusDeathTest {};
INSTANTIATE_TEST_SUITE_P(All, LeakingDeathTest,
                         ::testing::Combine(::testing::ValuesIn(kConfigs), ::testing::ValuesIn(Leaking())), NameOf);
TEST_P(LeakingDeathTest, IsFound) {
  EXPECT_EXIT(RunAndExit(std::get<0>(GetParam()), std::get<1>(GetParam())), ::testing::ExitedWithCode(0), "traced");
}

// Held for as long as the process lives.
Chan<int> OutsideChan() {
  static auto* chan = new Chan<int>(MakeChan<int>());
  return *chan;
}

class SoundDeathTest : public CorpusDeathTest {};
INSTANTIATE_TEST_SUITE_P(All, SoundDeathTest,
                         ::testing::Combine(::testing::ValuesIn(kConfigs), ::testing::ValuesIn(Sound(OutsideChan()))),
                         NameOf);
TEST_P(SoundDeathTest, IsNotAccused) {
  EXPECT_EXIT(RunAndExit(std::get<0>(GetParam()), std::get<1>(GetParam())), ::testing::ExitedWithCode(0), "0 certain");
}

void FindInExample(int (*example)(int, char**), const char* name, bool certain) {
  Config config;
  config.procs = 2;
  Runtime runtime(config);
  runtime.Run([&] { example(0, nullptr); });
  std::fprintf(stderr, "%s", Listed(example_leaks).c_str());
  _exit(example_leaks.size() == 1 && example_leaks[0].certain == certain &&
                example_leaks[0].trace.find(std::string(name) + ".cc:") != std::string::npos
            ? 0
            : 1);
}

TEST(ExamplesDeathTest, TheThreeThatLeakAreFound) {
  if (kSanitized) GTEST_SKIP();
  const struct {
    const char* name;
    int (*main)(int, char**);
    bool certain;
  } kExamples[] = {
      {"leak_blocked_channel", &LeakBlockedChannelExample, true},
      {"leak_no_timeout", &LeakNoTimeoutExample, true},
      {"leak_infinite_loop", &LeakInfiniteLoopExample, false},
  };
  for (const auto& example : kExamples) {
    EXPECT_EXIT(FindInExample(example.main, example.name, example.certain), ::testing::ExitedWithCode(0),
                example.certain ? "leaked: waits for" : "suspected: computes")
        << example.name;
  }
}

TEST(LeakCheckTest, HasAtLeastTwentyOfEach) {
  EXPECT_GE(Leaking().size(), 20u);
  EXPECT_GE(Sound(nullptr).size(), 20u);
}

TEST(LeakCheckTest, WhatWasThereBeforeIsNotItsBusiness) {
  if (kSanitized) GTEST_SKIP();
  RunProgram("procs=2", [] {
    Go([] { Chan<int>().Recv(); });
    Yield();
    EXPECT_THAT(LeakCheck([] {}), ::testing::IsEmpty());
    EXPECT_THAT(LeakCheck([] { Go([] { Chan<int>().Send(1); }); }), ::testing::SizeIs(1));
    const auto all = FindLeaks();
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_THAT(*all, ::testing::SizeIs(2));
  });
}

TEST(LeakCheckTest, SaysWhatAndWhere) {
  if (kSanitized) GTEST_SKIP();
  const std::vector<Leak> leaks = RunProgram("procs=2", [] {
    Chan<int> chan = MakeChan<int>();
    Go({.name = "forgotten"}, [chan] { chan.Recv(); });
  });
  ASSERT_THAT(leaks, ::testing::SizeIs(1));
  const std::string text = ::testing::PrintToString(leaks[0]);
  EXPECT_THAT(text, ::testing::HasSubstr("leaked: waits for a channel that nobody who can run can reach\ngoroutine "));
  EXPECT_THAT(text, ::testing::HasSubstr("[chan receive] (forgotten):\n"));
}

TEST(LeakCheckTest, ABodyThatPanicsOrLeavesIsOver) {
  RunWith("procs=2", [] { EXPECT_THAT(LeakCheck([] { Goexit(); }), ::testing::IsEmpty()); });
}

TEST(LeakCheckTest, OnAForeignThreadIsAFailureThatSaysSo) {
  const std::vector<Leak> leaks = LeakCheck([] {});
  ASSERT_THAT(leaks, ::testing::SizeIs(1));
  EXPECT_THAT(leaks[0].why, ::testing::HasSubstr("runs no goroutine"));
}

}  // namespace
}  // namespace gyre::testing
