// Two goroutines take 10 each from a balance of 100, and one of them may not see what the other did. The first word is
// what must remain. Nothing here is about exploration.
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [](const std::vector<char*>& words) {
    const int expected = words.size() > 1 ? std::atoi(words[1]) : 80;
    int balance = 100;
    gyre::Mutex mu;
    gyre::WaitGroup both;
    for (int i = 0; i < 2; ++i) {
      both.Go([&] {
        mu.Lock();
        const int seen = balance;
        mu.Unlock();
        mu.Lock();
        balance = seen - 10;
        mu.Unlock();
      });
    }
    both.Wait();
    if (balance != expected) gyre::Panic(absl::StrCat("the balance is ", balance));
    return 0;
  });
}
