// What channels take from the heap: one piece for a channel, nothing for using it. (UC-10, SE-12)
#include <atomic>
#include <cstdlib>
#include <new>

#include "channels/chan.h"
#include "channels/select.h"
#include "tests/channels/watched.h"

namespace {
std::atomic<long> allocations{0};

void* Allocate(size_t size, size_t align) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(size_t size) {
  return Allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(size_t size, std::align_val_t align) {
  return Allocate(size, static_cast<size_t>(align));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace gyre {
namespace {

using testing::RunWith;
using testing::Watched;

// In a runtime with one processor, so that nothing else runs.
template <typename F>
long AllocationsOf(F f) {
  const long before = allocations;
  f();
  return allocations - before;
}

TEST(Allocation, AChannelIsOnePiece) {
  RunWith("procs=1", [] {
    EXPECT_EQ(AllocationsOf([] { MakeChan<int>(); }), 1);
    EXPECT_EQ(AllocationsOf([] { MakeChan<int>(100); }), 1);
    EXPECT_EQ(AllocationsOf([] { MakeChan<Unit>(int64_t{1} << 60); }), 1);
  });
}

TEST(Allocation, UC_10_ElementsCostNothing) {
  RunWith("procs=1", [] {
    Chan<Unit> signals = MakeChan<Unit>();
    Chan<int> numbers = MakeChan<int>(7);
    Watched receiver([&] {
      while (signals.Next()) {
      }
      while (numbers.Next()) {
      }
    });
    signals.Send({});
    EXPECT_EQ(AllocationsOf([&] {
                for (int i = 0; i < 1000; ++i) signals.Send({});
                signals.Close();
                for (int i = 0; i < 1000; ++i) numbers.Send(i);
              }),
              0);
    numbers.Close();
    EXPECT_TRUE(receiver.Ends());
  });
}

TEST(Allocation, SE_12_SelectsCostNothing) {
  RunWith("procs=1", [] {
    Chan<int> a = MakeChan<int>(), b = MakeChan<int>(), idle = MakeChan<int>();
    Watched sender([&] {
      for (;;) {
        bool open = true;
        Select(a.OnSend(1), b.OnSend(2), idle.OnRecv([&] { open = false; }));
        if (!open) return;
      }
    });
    Select(a.OnRecv([] {}), b.OnRecv([] {}));
    EXPECT_EQ(AllocationsOf([&] {
                for (int i = 0; i < 1000; ++i) {
                  Select(a.OnRecv([](int) {}), b.OnRecv([](int, bool) {}));
                  Select(a.OnRecv([] {}), b.OnRecv([] {}), Default([] { Yield(); }));
                }
              }),
              0);
    idle.Close();
    EXPECT_TRUE(sender.Ends());
  });
}

}  // namespace
}  // namespace gyre
