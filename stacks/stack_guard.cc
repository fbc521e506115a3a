#include "stacks/stack_guard.h"

#include <sys/mman.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "stacks/stack_pool.h"

namespace gyre::stacks {
namespace {

bool KernelInstallsGuards(OsMemory& os) {
  void* page = os.Map(kPage);
  if (page == nullptr) return false;
  const bool installed = os.Advise(page, kPage, kGuardInstall);
  os.Unmap(page, kPage);
  return installed;
}

}  // namespace

absl::Status StackGuard::Start(absl::string_view wanted, OsMemory& os) {
  os_ = &os;
  if (wanted == "off") {
    kind_ = Kind::kOff;
  } else if (wanted == "mprotect") {
    kind_ = Kind::kMprotect;
  } else if (KernelInstallsGuards(os)) {
    kind_ = Kind::kMadvise;
  } else if (wanted == "madvise") {
    return absl::FailedPreconditionError(
        "guard=madvise: this kernel does not know MADV_GUARD_INSTALL (it needs Linux 6.13); guard=mprotect, auto and "
        "off work");
  } else {
    kind_ = Kind::kMprotect;
  }
  // A guard makes two mappings more. A quarter of the limit is left to the rest of the program.
  if (kind_ == Kind::kMprotect) budget_.store(static_cast<int64_t>(os.MappingLimit() / 8 * 3));
  return absl::OkStatus();
}

bool StackGuard::Install(absl::Span<const iovec> ranges, size_t& installed) {
  installed = 0;
  if (kind_ == Kind::kMadvise) {
    if (!os_->AdviseMany(ranges, kGuardInstall)) return false;
    installed = ranges.size();
    return true;
  }
  if (kind_ == Kind::kMprotect) {
    for (const iovec& range : ranges) {
      // Relaxed: a count. It may go below zero by as many as there are threads here.
      if (budget_.fetch_sub(1, std::memory_order_relaxed) <= 0) break;
      if (!os_->Protect(range.iov_base, range.iov_len, PROT_NONE)) {
        // The kernel's count of mappings is what the budget only estimates.
        if (errno != ENOMEM) return false;
        budget_.store(0, std::memory_order_relaxed);
        break;
      }
      ++installed;
    }
    unguarded_.fetch_add(ranges.size() - installed, std::memory_order_relaxed);
  }
  return true;
}

bool StackGuard::Remove(char* start, size_t bytes) noexcept {
  switch (kind_) {
    case Kind::kOff: return true;
    case Kind::kMadvise: return os_->Advise(start, bytes, kGuardRemove);
    case Kind::kMprotect: return os_->Protect(start, bytes, PROT_READ | PROT_WRITE);
  }
  return false;
}

bool StackGuard::Reinstall(char* start, size_t bytes) noexcept {
  switch (kind_) {
    case Kind::kOff: return os_->Advise(start, bytes, MADV_DONTNEED);
    case Kind::kMadvise: return os_->Advise(start, bytes, kGuardInstall);
    case Kind::kMprotect: return os_->Advise(start, bytes, MADV_DONTNEED) && os_->Protect(start, bytes, PROT_NONE);
  }
  return false;
}

std::string StackGuard::Describe() const {
  switch (kind_) {
    case Kind::kOff: return "no guards";
    case Kind::kMadvise: return "guards by MADV_GUARD_INSTALL";
    case Kind::kMprotect: break;
  }
  return absl::StrCat("guards by mprotect", unguarded() == 0 ? "" : absl::StrCat(", ", unguarded(), " stacks without"));
}

}  // namespace gyre::stacks
