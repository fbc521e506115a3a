// The fenced code blocks of a Markdown page. Each says, behind its opening fence, what kind of text it is and what the
// tests do with it:
//
//   ```cpp program=NAME     a whole program: built, and run; an output block that follows is what it prints
//   ```cpp snippet          statements: compiled as the body of a function; #include lines go to the top
//   ```cpp declarations     compiled outside of functions
//   ```cpp file=PATH        a file that the page's commands use
//   ```sh run               commands: run; an output block that follows is what they print
//   ```sh checked           commands that would take too long: what they call must exist and take these flags
//   ```starlark build       part of tests/docs/first_policy/BUILD.bazel
//   ```starlark workspace   gyre's own WORKSPACE, as another workspace has to say it
//   ```text output          what the block before prints; "..." in a line, or alone in one, stands for anything, and a
//                           number or a unit of time for any other
//   ```text picture         nothing to be checked: a drawing, a grammar, a table that was measured once
#ifndef GYRE_TESTS_DOCS_BLOCKS_H_
#define GYRE_TESTS_DOCS_BLOCKS_H_

#include <string>
#include <vector>

namespace gyre::docs {

struct Block {
  std::string language;  // "cpp"
  std::string tag;       // "program"
  std::string argument;  // "NAME"; empty where there is none
  std::string text;      // its lines, each with its end
  int line = 0;          // of the opening fence
};

// The blocks of a page, in order. A fence that is never closed makes a last block with the tag "unclosed".
std::vector<Block> ParseBlocks(const std::string& page);

// Whether the block is of one of the kinds above.
bool IsKnown(const Block& block);

// The text that an output block may be compared with: see above.
bool Matches(const std::string& pattern, const std::string& text);

// A C++ file with all snippets and declarations of a page; line numbers are the page's.
std::string SnippetFile(const std::vector<Block>& blocks, const std::string& name);

// The only block with this tag and argument; aborts with a message if there is none, or more.
const Block& Only(const std::vector<Block>& blocks, const std::string& tag, const std::string& argument);

}  // namespace gyre::docs

#endif  // GYRE_TESTS_DOCS_BLOCKS_H_
