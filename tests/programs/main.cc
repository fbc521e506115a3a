#include <cstdlib>

#include "tests/programs/program.h"

namespace gyre::programs {

std::map<std::string, Program>& AllPrograms() {
  static auto* programs = new std::map<std::string, Program>;
  return *programs;
}

namespace {

int Run(const std::vector<char*>& words) {
  const auto program = words.size() > 1 ? AllPrograms().find(words[1]) : AllPrograms().end();
  if (program == AllPrograms().end()) {
    std::fprintf(stderr, "usage: programs ID [NUMBER...]; the programs:");
    for (const auto& [id, run] : AllPrograms()) std::fprintf(stderr, " %s", id.c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  std::vector<int64_t> numbers;
  for (size_t i = 2; i < words.size(); ++i) numbers.push_back(std::atoll(words[i]));
  program->second(Numbers(numbers));
  return 0;
}

}  // namespace
}  // namespace gyre::programs

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, &gyre::programs::Run);
}
