// What the tests of gyre::net share.
#ifndef GYRE_TESTS_NET_NET_TEST_UTIL_H_
#define GYRE_TESTS_NET_NET_TEST_UTIL_H_

#include <dirent.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "runtime/go.h"
#include "runtime/net/net.h"
#include "runtime/net/pipe.h"
#include "tests/testing/runtime_test.h"

namespace gyre::net {

// The value, or the end of the process with the error: a body that goes on without its socket tests nothing.
template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    ADD_FAILURE() << value.status();
    std::abort();
  }
  return *std::move(value);
}

inline void MustOk(const absl::Status& status) {
  if (status.ok()) return;
  ADD_FAILURE() << status;
  std::abort();
}

// A connected pair over loopback.
struct Pair {
  Conn client, server;
};
inline Pair MakePair(const char* network = "tcp", const std::string& address = "127.0.0.1:0") {
  Listener listener = Must(Listen(network, address));
  Pair pair;
  pair.client = Must(Dial(network, listener.Address()));
  pair.server = Must(listener.Accept());
  MustOk(listener.Close());
  return pair;
}

// The process's descriptors, without the one that counts them.
inline int OpenDescriptors() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count - 1;
}

// Whether there are no more than that again. A runtime's own go when the last of its threads has ended, a moment after Run:
// `count` may have been taken before an earlier one's were gone.
inline bool DescriptorsAre(int count) {
  return gyre::testing::Eventually([count] { return OpenDescriptors() <= count; });
}

// The process's kernel threads.
inline int KernelThreads() {
  int count = 0;
  DIR* folder = opendir("/proc/self/task");
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

}  // namespace gyre::net

#endif  // GYRE_TESTS_NET_NET_TEST_UTIL_H_
