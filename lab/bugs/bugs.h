// Ten classic concurrency bugs, each as a small program that panics, deadlocks or leaves a goroutine behind under some of its
// schedules and works under the plain one: what a way of exploring schedules is measured by.
#ifndef GYRE_LAB_BUGS_BUGS_H_
#define GYRE_LAB_BUGS_BUGS_H_

#include <string>
#include <vector>

namespace gyre::lab {

struct Bug {
  std::string name;
  std::string what;        // is wrong, in a sentence
  void (*program)();
  bool leaks = false;      // the failure is a goroutine that is left behind
  void (*corrected)();     // the same program without the bug
};

const std::vector<Bug>& ClassicBugs();

}  // namespace gyre::lab

#endif  // GYRE_LAB_BUGS_BUGS_H_
