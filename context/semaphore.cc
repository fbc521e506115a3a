#include "context/semaphore.h"

#include "channels/chan.h"
#include "channels/select.h"

namespace gyre {

namespace {

struct Request : Semaphore::Waiter {
  explicit Request(int64_t units) : Waiter{units, &Granted} {}
  static void Granted(Waiter* self) {
    // The request is gone as soon as its goroutine has received.
    const Chan<Unit> ready = static_cast<Request*>(self)->ready;
    ready.Send(Unit{});
  }
  const Chan<Unit> ready = MakeChan<Unit>(1);
};

}  // namespace

Error AcquireUntilDone(const context::Context& ctx, Semaphore& semaphore, int64_t n) {
  if (Error err = ctx.Err(); err != nullptr) return err;
  if (semaphore.TryAcquire(n)) return nullptr;
  Request request(n);
  switch (semaphore.Enqueue(&request)) {
    case Semaphore::Outcome::kTaken:
      return nullptr;
    case Semaphore::Outcome::kNever:
      ctx.Done().Recv();
      return ctx.Err();
    case Semaphore::Outcome::kQueued:
      break;
  }
  bool granted = false;
  Select(request.ready.OnRecv([&] { granted = true; }), ctx.Done().OnRecv([] {}));
  if (!granted) {
    if (semaphore.Abandon(&request)) return ctx.Err();
    request.ready.Recv();  // whoever grants it has not finished with it before
  }
  // Both at the same time: then it counts as ended.
  Error err = ctx.Err();
  if (err != nullptr) semaphore.Release(n);
  return err;
}

}  // namespace gyre
