#include "tests/docs/blocks.h"

#include <cstdio>
#include <cstdlib>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace gyre::docs {

namespace {

constexpr absl::string_view kFence = "```";

// A number or a unit of time becomes a sign for all of them, spaces between words one space.
std::string Normal(const std::string& line) {
  std::vector<std::string> words;
  for (absl::string_view word : absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty())) {
    const bool number = absl::ascii_isdigit(static_cast<unsigned char>(word[0])) != 0;
    const bool unit = word == "ns" || word == "us" || word == "ms" || word == "s";
    words.push_back(number ? "#" : unit ? "@" : std::string(word));
  }
  return absl::StrJoin(words, " ");
}

bool LineMatches(const std::string& pattern, const std::string& line) {
  const std::vector<std::string> parts = absl::StrSplit(Normal(pattern), "...");
  const std::string text = Normal(line);
  if (parts.size() == 1) return parts[0] == text;
  if (!absl::StartsWith(text, parts.front())) return false;
  size_t at = parts.front().size();
  for (size_t i = 1; i + 1 < parts.size(); ++i) {
    const size_t found = text.find(parts[i], at);
    if (found == std::string::npos) return false;
    at = found + parts[i].size();
  }
  return text.size() >= at + parts.back().size() && absl::EndsWith(text, parts.back());
}

bool LinesMatch(const std::vector<std::string>& pattern, size_t p, const std::vector<std::string>& lines, size_t l) {
  for (; p < pattern.size(); ++p, ++l) {
    if (absl::StripAsciiWhitespace(pattern[p]) == "...") {
      for (size_t next = l; next <= lines.size(); ++next) {
        if (LinesMatch(pattern, p + 1, lines, next)) return true;
      }
      return false;
    }
    if (l == lines.size() || !LineMatches(pattern[p], lines[l])) return false;
  }
  return l == lines.size();
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace

std::vector<Block> ParseBlocks(const std::string& page) {
  std::vector<Block> blocks;
  bool inside = false;
  int number = 0;
  for (const std::string& line : Lines(page)) {
    ++number;
    absl::string_view rest = absl::StripAsciiWhitespace(line);
    if (!absl::ConsumePrefix(&rest, kFence)) {
      if (inside) absl::StrAppend(&blocks.back().text, line, "\n");
      continue;
    }
    if (inside) {
      inside = false;
      continue;
    }
    inside = true;
    Block block;
    block.line = number;
    const std::vector<std::string> words = absl::StrSplit(rest, ' ', absl::SkipEmpty());
    if (!words.empty()) block.language = words[0];
    if (words.size() == 2) {
      const std::pair<std::string, std::string> tag = absl::StrSplit(words[1], absl::MaxSplits('=', 1));
      block.tag = tag.first;
      block.argument = tag.second;
    }
    blocks.push_back(std::move(block));
  }
  if (inside) blocks.back().tag = "unclosed";
  return blocks;
}

bool IsKnown(const Block& block) {
  static const auto* const kinds = new std::set<std::string>{
      "cpp program=", "cpp snippet",    "cpp declarations",   "cpp file=",   "sh run",
      "sh checked",   "starlark build", "starlark workspace", "text output", "text picture",
  };
  return kinds->count(absl::StrCat(block.language, " ", block.tag, block.argument.empty() ? "" : "=")) != 0;
}

bool Matches(const std::string& pattern, const std::string& text) {
  return LinesMatch(Lines(pattern), 0, Lines(text), 0);
}

std::string SnippetFile(const std::vector<Block>& blocks, const std::string& name) {
  std::string includes, body;
  for (const Block& block : blocks) {
    const bool snippet = block.tag == "snippet";
    if (block.language != "cpp" || !(snippet || block.tag == "declarations")) continue;
    absl::StrAppend(&body, snippet ? "void" : "namespace", " at_line_", block.line, snippet ? "()" : "", " {\n#line ",
                    block.line + 1, " \"", name, "\"\n");
    for (const std::string& line : Lines(block.text)) {
      const bool include = absl::StartsWith(line, "#include");
      if (include) absl::StrAppend(&includes, line, "\n");
      absl::StrAppend(&body, include ? "" : line, "\n");
    }
    absl::StrAppend(&body, "}\n");
  }
  return absl::StrCat("#include \"gyre.h\"\n", includes, "namespace snippets {\n", body, "}\n");
}

const Block& Only(const std::vector<Block>& blocks, const std::string& tag, const std::string& argument) {
  const Block* found = nullptr;
  int count = 0;
  for (const Block& block : blocks) {
    if (block.tag != tag || block.argument != argument) continue;
    found = &block;
    ++count;
  }
  if (count != 1) {
    std::fprintf(stderr, "the page has %d blocks that are tagged %s=%s, and should have one\n", count, tag.c_str(),
                 argument.c_str());
    std::exit(1);
  }
  return *found;
}

}  // namespace gyre::docs
