// What every goroutine does, as text: for panics, fatal errors and SIGQUIT. The format is Go's:
//
//   goroutine 7 [chan receive, 3 minutes]:
//   function(...)
//   	file:line
//   ...
//   waits for 0x7f5c..., since 3m2.5s ago
//   created by spawner in goroutine 1
//   	file:line
//
// The line about the wait is ours: it names the object (a channel, a lock).
#ifndef GYRE_RUNTIME_DUMP_H_
#define GYRE_RUNTIME_DUMP_H_

#include <cstdint>
#include <string>
#include <typeinfo>

namespace gyre::internal {

struct G;

// The calling goroutine first, then the others of its runtime; on a thread without one, those of all runtimes.
// `frames`: where the calling goroutine is, or null for where it calls this.
std::string DumpGoroutines(void* const* frames, int frame_count);

// One goroutine with the frames that the caller has found, without lines: this one is for signal handlers, and so does without
// child processes and large tables.
std::string DumpGoroutine(G* g, void* const* frames, int frame_count);

// The return addresses of the calling stack, innermost first, leaving out `skip` of them. At most `max`.
int CaptureFrames(void** frames, int max, int skip);

std::string TypeName(const std::type_info& type);

// "panic: <text>", a blank line, all goroutines, exit code 2.
[[noreturn]] void FatalPanic(const std::string& text, void* const* frames, int frame_count);

// Fatal (panic.h) with a line before its own: where Go's runtime explains a fatal error, it does so first.
[[noreturn]] void FatalAfter(const std::string& line, const std::string& text);

// Writes to stderr and exits with 2, running no destructor; standard output is flushed.
[[noreturn]] void DieWith(const std::string& text);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DUMP_H_
