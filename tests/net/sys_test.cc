// gyre::sys: the calls do what their names say, errors say what was tried, and a call that waits holds no processor.
#include "runtime/sys/sys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/go.h"
#include "sync/wait_group.h"
#include "tests/net/net_test_util.h"
#include "tests/testing/runtime_test.h"

namespace gyre::sys {
namespace {

using net::Must;
using net::MustOk;
using ::testing::Contains;
using ::testing::ElementsAre;

// A folder of its own for each body.
struct Folder {
  Folder() {
    static std::atomic<int> next{0};
    path = absl::StrCat(::testing::TempDir(), "/gyre-sys-", getpid(), "-", next++);
    MustOk(Mkdir(path));
  }
  ~Folder() { MustOk(Rmdir(path)); }
  std::string path;
};

GYRE_TEST_ON_THREADS(Files, AreWrittenReadAndRemoved) {
  const Folder folder;
  const std::string file = folder.path + "/file";
  const std::string text(200'000, 'g');
  MustOk(WriteFile(file, text));
  EXPECT_EQ(Must(ReadFile(file)), text);
  EXPECT_EQ(Must(Stat(file)).st_size, 200'000);

  const int fd = Must(Open(file, O_RDWR));
  EXPECT_EQ(Must(WriteAt(fd, "yre", 1)), 3u);
  char buffer[4];
  EXPECT_EQ(Must(ReadAt(fd, absl::MakeSpan(buffer), 0)), 4u);
  EXPECT_EQ(std::string(buffer, 4), "gyre");
  EXPECT_EQ(Must(Read(fd, absl::MakeSpan(buffer, 2))), 2u);
  MustOk(Ftruncate(fd, 2));
  EXPECT_EQ(Must(Fstat(fd)).st_size, 2);
  EXPECT_EQ(Must(Read(fd, absl::MakeSpan(buffer))), 0u);
  EXPECT_EQ(Must(Write(fd, "!")), 1u);
  MustOk(Fsync(fd));
  MustOk(Fdatasync(fd));
  MustOk(Close(fd));
  EXPECT_EQ(Must(ReadFile(file)), "gy!");

  MustOk(Rename(file, file + "2"));
  EXPECT_THAT(Must(ReadDir(folder.path)), ElementsAre("file2"));
  MustOk(Unlink(file + "2"));
}

TEST(Files, ErrorsSayWhatWasTried) {
  gyre::testing::RunWith("procs=2", [] {
    const absl::Status missing = ReadFile("/nowhere/at/all").status();
    EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(missing.message(), "open /nowhere/at/all: no such file or directory");
    EXPECT_EQ(Close(-1).message(), "close: bad file descriptor");
    EXPECT_EQ(Unlink("/nowhere/at/all").message(), "unlink /nowhere/at/all: no such file or directory");
    EXPECT_EQ(ReadDir("/nowhere").status().message(), "readdir /nowhere: no such file or directory");
    EXPECT_EQ(WaitPid(getpid()).status().message(), "wait: no child processes");
    EXPECT_FALSE(LookupHost("no-such-host.invalid").ok());
  });
}

// Who waits for a lock leaves the only processor to who has it.
TEST(Files, AWaitForALockHoldsNoProcessor) {
  gyre::testing::RunWith("procs=1", [] {
    const Folder folder;
    const std::string file = folder.path + "/lock";
    const int mine = Must(Open(file, O_RDWR | O_CREAT)), other = Must(Open(file, O_RDWR));
    MustOk(Flock(mine, LOCK_EX));
    EXPECT_EQ(Flock(other, LOCK_EX | LOCK_NB).code(), absl::StatusCode::kUnavailable);
    std::atomic<bool> got{false};
    WaitGroup waiter;
    waiter.Go([&] {
      MustOk(Flock(other, LOCK_EX));
      got = true;
    });
    Sleep(absl::Milliseconds(5));
    EXPECT_FALSE(got);
    MustOk(Flock(mine, LOCK_UN));
    waiter.Wait();
    EXPECT_TRUE(got);
    MustOk(Close(mine));
    MustOk(Close(other));
    MustOk(Unlink(file));
  });
}

TEST(Processes, AreWaitedFor) {
  gyre::testing::RunWith("procs=1", [] {
    std::atomic<int> sum{0};
    WaitGroup all;
    for (int i = 1; i <= 5; ++i) {
      all.Go([&, i] {
        const pid_t child = fork();
        if (child == 0) _exit(i);
        const Waited waited = Must(WaitPid(child));
        EXPECT_EQ(waited.pid, child);
        if (WIFEXITED(waited.status)) sum += WEXITSTATUS(waited.status);
      });
    }
    all.Wait();
    EXPECT_EQ(sum, 15);
  });
}

TEST(Names, OfThisMachine) {
  gyre::testing::RunWith("procs=1", [] {
    EXPECT_THAT(Must(LookupHost("127.0.0.1")), ElementsAre("127.0.0.1"));
    EXPECT_THAT(Must(LookupHost("localhost")), ::testing::AnyOf(Contains("127.0.0.1"), Contains("::1")));
  });
}

}  // namespace
}  // namespace gyre::sys
