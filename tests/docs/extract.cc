// Prints code of a Markdown page, for Bazel to build:
//   extract PAGE snippets          all snippets and declarations, as one C++ file
//   extract PAGE program NAME      the block that is tagged program=NAME
//   extract PAGE file PATH         the block that is tagged file=PATH
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/docs/blocks.h"

int main(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[2] : "";
  if (argc != (what == "snippets" ? 3 : 4)) {
    std::fprintf(stderr, "usage: extract PAGE snippets | program NAME | file PATH\n");
    return 2;
  }
  std::ifstream file(argv[1]);
  std::ostringstream page;
  page << file.rdbuf();
  if (!file) {
    std::fprintf(stderr, "extract: %s cannot be read\n", argv[1]);
    return 2;
  }
  const auto blocks = gyre::docs::ParseBlocks(page.str());
  const std::string text =
      what == "snippets" ? gyre::docs::SnippetFile(blocks, argv[1]) : gyre::docs::Only(blocks, what, argv[3]).text;
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}
