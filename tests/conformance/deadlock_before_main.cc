// A deadlock in the initialisation of a static variable: goroutines of a runtime that runs before main is entered.
#include "gyre.h"

namespace {

int RunsBeforeMain() {
  gyre::Runtime runtime;
  runtime.Run([] { gyre::Select(); });
  return 0;
}
const int initialised = RunsBeforeMain();

}  // namespace

int main() {
  return initialised;
}
