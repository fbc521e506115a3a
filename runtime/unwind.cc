// How a goroutine's function ends that does not return: by Goexit, or by an exception that nobody caught.
//
// Goexit is a forced unwind (the Itanium C++ ABI's, as pthread_exit uses it): destructors run, and a catch (...) is
// entered but cannot keep the goroutine, for when it ends without rethrowing, the unwinding begins again from there.
#include "runtime/unwind.h"

#include <cxxabi.h>
#include <unwind.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/dump.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "runtime/sanitizers.h"
#include "runtime/segments.h"

namespace gyre::internal {

namespace {

// "gyre" "exit": any value of its own will do, by the ABI.
constexpr _Unwind_Exception_Class kGoexitClass = 0x6779726565786974;

void ContinueGoexit(_Unwind_Reason_Code, _Unwind_Exception*);

_Unwind_Reason_Code StopAtBottom(int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception* exception,
                                 _Unwind_Context*, void*) {
  if ((actions & _UA_END_OF_STACK) == 0) return _URC_NO_REASON;
  delete exception;
  G* self = Self();
  self->core->ExitGoroutine(self);
}

[[noreturn]] void Unwind() {
  auto* exception = new _Unwind_Exception;
  std::memset(exception, 0, sizeof(*exception));
  exception->exception_class = kGoexitClass;
  exception->exception_cleanup = &ContinueGoexit;
  sanitizers::BeforeUnwind();
  _Unwind_ForcedUnwind(exception, &StopAtBottom, nullptr);
  Fatal("gyre::Goexit: the stack cannot be unwound (code compiled without unwind tables is on it)");
}

// A handler caught the unwinding and ended without rethrowing it.
void ContinueGoexit(_Unwind_Reason_Code, _Unwind_Exception* exception) {
  delete exception;
  Unwind();
}

// The exception in flight is nobody's.
[[noreturn]] void DieOfException() {
  try {
    throw;
  } catch (const PanicError& panic) {
    FatalPanic(panic.what(), panic.frames(), panic.frame_count());
  } catch (const std::exception& error) {
    FatalPanic(absl::StrCat(error.what(), " [", TypeName(typeid(error)), "]"), nullptr, 0);
  } catch (const std::string& text) {
    FatalPanic(text, nullptr, 0);
  } catch (const char* text) {
    // `throw nullptr` comes here too.
    FatalPanic(text != nullptr ? text : "panic called with nil argument", nullptr, 0);
  } catch (int number) {
    FatalPanic(absl::StrCat(number), nullptr, 0);
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    FatalPanic(absl::StrCat("an exception of type ", type != nullptr ? TypeName(*type) : "unknown"), nullptr, 0);
  }
}

std::terminate_handler other_terminate_handler;

[[noreturn]] void OnTerminate() {
  if (G* self = This().g; self != nullptr && self->kind == GKind::kGoroutine && std::current_exception() != nullptr) {
    DieOfException();
  }
  other_terminate_handler();
  std::abort();
}

}  // namespace

void EndedByThrowing() {
  // Goexit is no exception: on to the bottom. (Asked so, and not by a handler for abi::__forced_unwind: there is no
  // object of that type that the handler's reference could be bound to.)
  if (std::current_exception() == nullptr) throw;
  DieOfException();
}

void InstallTerminateHandler() {
  static std::once_flag once;
  std::call_once(once, [] { other_terminate_handler = std::set_terminate(&OnTerminate); });
}

static void RunToEnd(G* self) {
  try {
    self->run(self->closure);
  } catch (...) {
    EndedByThrowing();
  }
  self->core->ExitGoroutine(self);
}

void RunOnSegments(G* self) {
  StackAllocator& stacks = self->core->stacks();
  if (!stacks.MayBegin(self->run)) {
    stacks.CallWithRoom(
        [](void* g) {
          NoPreemptExit();
          RunToEnd(static_cast<G*>(g));
        },
        self);
  }
  stacks.CallWithRoom([](void*) { NoPreemptExit(); }, nullptr);
  self->run(self->closure);
  stacks.CallWithRoom(
      [](void* g) {
        G* self = static_cast<G*>(g);
        self->core->ExitGoroutine(self);
      },
      self);
  __builtin_unreachable();
}

}  // namespace gyre::internal

namespace gyre {

void Goexit() {
  internal::G* self = internal::This().g;
  if (self == nullptr || self->kind != internal::GKind::kGoroutine) {
    Panic("gyre::Goexit: the calling thread runs no goroutine");
  }
  self->core->Leaves(self);
  internal::Unwind();
}

}  // namespace gyre
