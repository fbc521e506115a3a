// The process's signals, on channels (Go's os/signal).
//
//   gyre::Chan<int> stop = gyre::MakeChan<int>(1);
//   gyre::NotifySignal(stop, {SIGINT, SIGTERM});
//   int signal = stop.Recv();
//
// A signal is sent to every channel that asked for it and has room: sending never blocks, so a channel for one signal wants room
// for 1. Signals of one kind that come before the first has been sent may be one. While somebody is notified of a signal,
// its default action (to end the process, mostly) does not happen.
//
// All functions may be called from any goroutine or foreign thread. They panic for a number that is no signal, for SIGKILL and
// SIGSTOP, which nobody can catch, for the signals that a fault in the program raises (SIGSEGV, SIGBUS, SIGFPE, SIGILL), and
// for SIGURG, with which gyre interrupts goroutines. NotifySignal of a nil channel panics.
//
// The first NotifySignal starts a kernel thread, which stays: from then on a deadlock is not reported, for a signal may yet come.
#ifndef GYRE_CHANNELS_SIGNALS_H_
#define GYRE_CHANNELS_SIGNALS_H_

#include <initializer_list>

#include "channels/chan.h"

namespace gyre {

// `signals` are sent to `c` from now on, beside those that it asked for before. None: all that can be caught.
void NotifySignal(const Chan<int>& c, std::initializer_list<int> signals);

// Nothing more is sent to `c`. A signal that no channel wants any more has the effect again that it had before the first did.
void StopSignal(const Chan<int>& c);

// `signals` have no effect any more, and no channel gets them. None: all that can be caught.
void IgnoreSignal(std::initializer_list<int> signals);

// Undoes NotifySignal and IgnoreSignal of `signals`. None: of all.
void ResetSignal(std::initializer_list<int> signals);

// Whether IgnoreSignal says so.
bool SignalIgnored(int signal);

}  // namespace gyre

#endif  // GYRE_CHANNELS_SIGNALS_H_
