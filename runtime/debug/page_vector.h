// A growing array that never calls malloc, for code that runs while threads are stopped inside it (world_stop.h). Its
// elements are plain data. Memory comes from the kernel, and is what stands in Range().
#ifndef GYRE_RUNTIME_DEBUG_PAGE_VECTOR_H_
#define GYRE_RUNTIME_DEBUG_PAGE_VECTOR_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>

#include "runtime/frame_walk.h"

namespace gyre::internal {

template <typename T>
class PageVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  // Room for `most` elements is reserved, as addresses only; one more ends the process.
  explicit PageVector(size_t most) : most_(most) {
    void* memory = mmap(nullptr, Bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    data_ = static_cast<T*>(memory);
  }
  ~PageVector() { munmap(data_, Bytes()); }
  PageVector(const PageVector&) = delete;
  PageVector& operator=(const PageVector&) = delete;

  void Push(const T& value) {
    if (size_ == most_) std::abort();
    data_[size_++] = value;
  }
  void Pop() { --size_; }
  void Clear() { size_ = 0; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == most_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  StackRange Range() const {
    const uintptr_t start = reinterpret_cast<uintptr_t>(data_);
    return {start, start + Bytes()};
  }

 private:
  size_t Bytes() const { return (most_ * sizeof(T) + 4095) & ~size_t{4095}; }

  const size_t most_;
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_PAGE_VECTOR_H_
