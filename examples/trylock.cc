// TryLock: take a lock if it is free, and do something else if it is not.
#include <mutex>

#include "absl/strings/str_format.h"
#include "gyre.h"

void Attempt(gyre::Mutex& mu) {
  if (std::unique_lock lock(mu, std::try_to_lock); lock.owns_lock()) {
    absl::PrintF("The lock was acquired successfully.\n");
  } else {
    absl::PrintF("Failed to acquire the lock.\n");
  }
}

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Mutex mu;
    Attempt(mu);
    mu.Lock();
    Attempt(mu);
    mu.Unlock();
  });
}
