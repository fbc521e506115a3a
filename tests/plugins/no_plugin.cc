// A shared object that is no plug-in.
extern "C" int gyre_test_answer() {
  return 42;
}
