// What README.md and docs/ say is so: each block of code in them is built or run, and prints what the page says.
//
// Programs and snippets are built by Bazel (docs.bzl). Commands run here, in a folder that looks like the one that a
// reader is in: gyre's, with a folder beside it for what is the reader's own. There `bazelw` is a script that runs what
// Bazel has built already.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/docs/blocks.h"
#include "tests/examples/child_process.h"

namespace gyre::docs {
namespace {

namespace fs = std::filesystem;
using ::gyre::testing::ChildResult;
using ::gyre::testing::ReadFile;
using ::gyre::testing::RunChild;

constexpr char kFirstPolicy[] = "docs/first-policy.md";

// README.md and all that is in docs/.
std::vector<std::string> Pages() {
  std::vector<std::string> pages = {"README.md"};
  for (const auto& file : fs::directory_iterator("docs")) {
    if (file.path().extension() == ".md") pages.push_back(file.path().string());
  }
  EXPECT_GT(pages.size(), 1u);
  return pages;
}

// The folders of a reader: gyre's, and the parent of it.
class Reader {
 public:
  Reader() {
    const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    parent_ = fs::path(::testing::TempDir()) / ("reader_" + absl::StrReplaceAll(test, {{"/", "_"}}));
    fs::remove_all(parent_);
    fs::create_directories(gyre());
    for (const auto& entry : fs::directory_iterator(fs::current_path())) {
      if (entry.path().filename() != "bazelw") fs::create_symlink(entry.path(), gyre() / entry.path().filename());
    }
    fs::create_symlink(fs::absolute("tests/docs/bazelw_stand_in.sh"), gyre() / "bazelw");
  }
  ~Reader() { fs::remove_all(parent_); }

  fs::path gyre() const { return parent_ / "gyre"; }

  void Write(const std::string& path, const std::string& text) const {
    const fs::path file = gyre() / path;
    fs::create_directories(file.lexically_normal().parent_path());
    std::ofstream(file) << text;
  }

  ChildResult Run(const std::string& commands, bool check_only) const {
    // GYRE is empty: a page shows what happens without it.
    return RunChild({"/bin/sh", "-eu", "-c", commands}, {.folder = gyre().string(),
                                                         .environment = {{"GYRE", ""},
                                                                         {"RUNFILES", fs::current_path().string()},
                                                                         {"CHECK_ONLY", check_only ? "yes" : ""}}});
  }

 private:
  fs::path parent_;
};

class PageTest : public ::testing::TestWithParam<std::string> {
 protected:
  PageTest() : blocks_(ParseBlocks(ReadFile(GetParam()))) {}

  std::string Where(const Block& block) const { return absl::StrCat(GetParam(), ":", block.line); }

  // The output block that belongs to the block at `i`; null if there is none.
  const Block* OutputOf(size_t i) const {
    return i + 1 < blocks_.size() && blocks_[i + 1].tag == "output" ? &blocks_[i + 1] : nullptr;
  }

  void ExpectOutput(size_t i, const ChildResult& result) const {
    EXPECT_EQ(result.exit_code, 0) << Where(blocks_[i]) << ": signal " << result.signal << "\n"
                                   << result.out << result.err;
    if (const Block* output = OutputOf(i)) {
      EXPECT_TRUE(Matches(output->text, result.out)) << Where(*output) << " says\n"
                                                     << output->text << "and it is\n"
                                                     << result.out << result.err;
    }
  }

  const std::vector<Block> blocks_;
};

TEST_P(PageTest, EachBlockSaysWhatItIs) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    EXPECT_TRUE(IsKnown(block)) << Where(block) << ": a block of code says how it is tested: see tests/docs/blocks.h";
    if (block.tag != "output") continue;
    const std::string before = i == 0 ? "" : blocks_[i - 1].tag;
    EXPECT_TRUE(before == "program" || before == "run") << Where(block) << ": nothing before it prints anything";
  }
}

TEST_P(PageTest, Programs) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (blocks_[i].tag != "program") continue;
    ExpectOutput(i, RunChild({absl::StrCat("tests/docs/", blocks_[i].argument)}));
  }
}

TEST_P(PageTest, Commands) {
  const Reader reader;
  for (const Block& block : blocks_) {
    if (block.tag == "file") reader.Write(block.argument, block.text);
  }
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (blocks_[i].tag == "run") ExpectOutput(i, reader.Run(blocks_[i].text, false));
    if (blocks_[i].tag == "checked") ExpectOutput(i, reader.Run(blocks_[i].text, true));
  }
}

TEST_P(PageTest, BuildFiles) {
  const std::string build = ReadFile("tests/docs/first_policy/BUILD.bazel");
  for (const Block& block : blocks_) {
    if (block.tag != "build") continue;
    EXPECT_TRUE(absl::StrContains(build, block.text)) << Where(block) << " is not in tests/docs/first_policy";
  }
}

TEST_P(PageTest, Workspaces) {
  const std::string ours = absl::StrReplaceAll(ReadFile("WORKSPACE"), {{"\"//third_party", "\"@gyre//third_party"},
                                                                       {"\"third_party/", "\"../gyre/third_party/"}});
  for (const Block& block : blocks_) {
    if (block.tag != "workspace") continue;
    for (const std::string& statement : std::vector<std::string>(absl::StrSplit(block.text, "\n\n"))) {
      // What a reader adds to what gyre says itself: their own name, and gyre.
      if (absl::StartsWith(statement, "workspace(") || absl::StrContains(statement, "name = \"gyre\"")) continue;
      for (const std::string& line : std::vector<std::string>(absl::StrSplit(statement, "\nload", absl::SkipEmpty()))) {
        EXPECT_TRUE(absl::StrContains(ours, line)) << Where(block) << ": gyre's WORKSPACE does not say\n" << line;
      }
    }
  }
}

// Links within the project lead somewhere: in the tree that Bazel took the page from, for they lead to all of it.
TEST_P(PageTest, Links) {
  std::string text = ReadFile(GetParam());
  for (const Block& block : blocks_) text = absl::StrReplaceAll(text, {{block.text, ""}});
  const fs::path folder = fs::canonical(GetParam()).parent_path();
  for (size_t at = 0; (at = text.find("](", at)) != std::string::npos; ++at) {
    std::string target = text.substr(at + 2, text.find(')', at) - at - 2);
    target = target.substr(0, target.find('#'));
    if (target.empty() || absl::StrContains(target, "://")) continue;
    EXPECT_TRUE(fs::exists(folder / target)) << GetParam() << " links to " << target;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PageTest, ::testing::ValuesIn(Pages()), [](const auto& test) {
  return absl::StrReplaceAll(fs::path(test.param).stem().string(), {{"-", "_"}});
});

// A page's program that nobody built, or a build of a program that no page has any more.
TEST(Pages, EachProgramIsBuilt) {
  std::set<std::string> built, written;
  for (const std::string& page : Pages()) {
    for (const Block& block : ParseBlocks(ReadFile(page))) {
      if (block.tag != "program") continue;
      EXPECT_TRUE(written.insert(block.argument).second) << block.argument << " twice";
    }
  }
  for (const auto& file : fs::directory_iterator("tests/docs")) {
    const bool binary = file.is_regular_file() && file.path().extension().empty();
    if (binary && file.path().stem() != "docs_test") built.insert(file.path().filename().string());
  }
  EXPECT_EQ(built, written);
}

TEST(Pages, NameThePackages) {
  const std::string readme = ReadFile("README.md");
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(ReadFile("tools/packages.txt"), '\n'))) {
    if (line.empty() || line[0] == '#') continue;
    EXPECT_TRUE(absl::StrContains(readme, line)) << "README.md does not name the package " << line;
  }
}

TEST(FirstPolicy, IsShort) {
  const std::vector<Block> blocks = ParseBlocks(ReadFile(kFirstPolicy));
  const std::vector<std::string> lines = absl::StrSplit(Only(blocks, "file", "../my-policy/woken.cc").text, '\n');
  EXPECT_LE(lines.size() - 1, 60u);
}

TEST(FirstPolicy, LoadsAsBazelBuildsIt) {
  const ChildResult result = RunChild({"lab/lab", "run", "skynet", "leaves=1000", "--scheduler=woken:busy_every=3",
                                       "--stack=fixed", "--plugin=tests/docs/first_policy/libwoken.so"},
                                      {.folder = {}, .environment = {{"GYRE", ""}}});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(absl::StrContains(result.out, "499500, which is right")) << result.out;
}

TEST(Blocks, Parse) {
  const auto blocks =
      ParseBlocks("text\n```cpp program=a\nint x;\n```\n```sh run\nls\n\nls\n```\n```\nuntagged\n```\n");
  ASSERT_EQ(blocks.size(), 3u);
  EXPECT_EQ(blocks[0].language + blocks[0].tag + blocks[0].argument + blocks[0].text,
            "cppprograma"
            "int x;\n");
  EXPECT_EQ(blocks[1].text, "ls\n\nls\n");
  EXPECT_EQ(blocks[1].line, 5);
  EXPECT_TRUE(IsKnown(blocks[0]));
  EXPECT_TRUE(IsKnown(blocks[1]));
  EXPECT_FALSE(IsKnown(blocks[2]));
  for (const char* wrong :
       {"cpp", "cpp run", "cpp program", "cpp snippet=x", "sh program=x", "text", "cpp program=a b"}) {
    EXPECT_FALSE(IsKnown(ParseBlocks(absl::StrCat("```", wrong, "\n```\n"))[0])) << wrong;
  }
  EXPECT_FALSE(IsKnown(ParseBlocks("```sh run\nls\n")[0])) << "never closed";
}

TEST(Blocks, Match) {
  EXPECT_TRUE(Matches("a\nb\n", "a\nb\n"));
  EXPECT_FALSE(Matches("a\nb\n", "a\n"));
  EXPECT_FALSE(Matches("a\n", "a\nb\n"));
  EXPECT_TRUE(Matches("...\nb\n...\n", "a\na\nb\n"));
  EXPECT_FALSE(Matches("...\nc\n...\n", "a\nb\n"));
  EXPECT_TRUE(Matches("took 3.5 ms for ...\n", "took   12 us for ever\n"));
  EXPECT_FALSE(Matches("took 3.5 ms for ...\n", "took none\n"));
  EXPECT_FALSE(Matches("a...a\n", "a\n"));
}

}  // namespace
}  // namespace gyre::docs
