// Everything that gyre offers to a program, in one header. Each layer has a header and a Bazel target of its own, too.
#ifndef GYRE_GYRE_H_
#define GYRE_GYRE_H_

#include "channels/chan.h"
#include "channels/dynamic_select.h"
#include "channels/select.h"
#include "channels/signals.h"
#include "channels/time.h"
#include "context/context.h"
#include "context/errgroup.h"
#include "context/error.h"
#include "context/semaphore.h"
#include "runtime/blocking.h"
#include "runtime/debug/leak_check.h"
#include "runtime/debug/pprof.h"
#include "runtime/debug/server.h"
#include "runtime/dump_state.h"
#include "runtime/go.h"
#include "runtime/main.h"
#include "runtime/net/net.h"
#include "runtime/net/pipe.h"
#include "runtime/panic.h"
#include "runtime/runtime.h"
#include "runtime/sys/sys.h"
#include "runtime/trace/trace.h"
#include "sync/cond.h"
#include "sync/mutex.h"
#include "sync/once.h"
#include "sync/rwmutex.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"

#endif  // GYRE_GYRE_H_
