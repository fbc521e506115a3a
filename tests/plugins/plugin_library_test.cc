// Loading plug-ins from shared objects: what they bring, and the sentence for each file that brings nothing.
#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <fstream>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugins/registry.h"
#include "tests/plugins/fake_plugins.h"
#include "tests/plugins/state_text.h"

namespace gyre {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

GYRE_REGISTER_SCHEDULER("present", FakeScheduler, "there from the start", FakeScheduler::Limit());

// Where Bazel puts what the tests are given, from the folder that they run in.
constexpr char kLoaded[] = "tests/plugins/loaded_plugins.so";

const PluginInfo* Find(const std::vector<PluginInfo>& plugins, const std::string& name) {
  for (const PluginInfo& plugin : plugins) {
    if (plugin.name == name) return &plugin;
  }
  return nullptr;
}

// Loads a file that must be refused, and returns why.
std::string Refused(const std::string& path) {
  const size_t before = ListPlugins(PluginKind::kScheduler).size();
  const absl::Status status = LoadPluginLibrary(path);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << path;
  EXPECT_EQ(ListPlugins(PluginKind::kScheduler).size(), before) << "a refused file leaves nothing behind: " << path;
  return std::string(status.message());
}

std::string TemporaryFile(const std::string& name) {
  return ::testing::TempDir() + "/" + name;
}

std::string CurrentFolder() {
  char folder[PATH_MAX];
  return getcwd(folder, sizeof(folder)) != nullptr ? folder : "";
}

TEST(PluginLibraryTest, BringsItsPlugins) {
  ASSERT_EQ(LoadPluginLibrary(kLoaded), absl::OkStatus());
  const std::vector<PluginInfo> plugins = ListPlugins(PluginKind::kScheduler);
  const PluginInfo* loaded = Find(plugins, "loaded");
  ASSERT_NE(loaded, nullptr);
  EXPECT_EQ(loaded->origin, kLoaded);
  EXPECT_EQ(loaded->help, "from a shared object");
  EXPECT_EQ(loaded->options.size(), 2u);
  const PluginInfo* wrapper = Find(plugins, "loaded-around");
  ASSERT_NE(wrapper, nullptr);
  EXPECT_TRUE(wrapper->is_wrapper);
  EXPECT_EQ(Find(plugins, "present")->origin, "built in");

  EXPECT_EQ(StartedState("loaded:limit=5"), "limit=5 ");
  EXPECT_EQ(StartedState("loaded-around(present:limit=6):depth=3"), "depth=3 limit=6 ");
  EXPECT_EQ(StartedState("loaded:steal=most"), "scheduler loaded: steal=most is not one of: half, one");
}

TEST(PluginLibraryTest, LoadingTwiceIsHarmlessByAnyOfItsNames) {
  ASSERT_EQ(LoadPluginLibrary(kLoaded), absl::OkStatus());
  const size_t count = ListPlugins(PluginKind::kScheduler).size();
  EXPECT_EQ(LoadPluginLibrary(kLoaded), absl::OkStatus());
  EXPECT_EQ(LoadPluginLibrary("tests/../tests/plugins/loaded_plugins.so"), absl::OkStatus());
  const std::string link = TemporaryFile("link.so");
  unlink(link.c_str());
  ASSERT_EQ(symlink(absl::StrCat(CurrentFolder(), "/", kLoaded).c_str(), link.c_str()), 0);
  EXPECT_EQ(LoadPluginLibrary(link), absl::OkStatus());
  EXPECT_EQ(ListPlugins(PluginKind::kScheduler).size(), count);
}

TEST(PluginLibraryTest, ManyThreadsAtOnce) {
  constexpr int kThreads = 8;
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (int i = 1; i <= kThreads; ++i) {
    threads.emplace_back([i, &start] {
      start.arrive_and_wait();
      EXPECT_EQ(LoadPluginLibrary("tests/plugins/raced_for.so"), absl::OkStatus());
      EXPECT_EQ(StartedState(absl::StrCat("raced-for:limit=", i)), absl::StrCat("limit=", i, " "));
      EXPECT_FALSE(LoadPluginLibrary("tests/plugins/no_plugin.so").ok());
      EXPECT_NE(Find(ListPlugins(PluginKind::kScheduler), "raced-for"), nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(PluginLibraryTest, ACopyFindsTheNamesTaken) {
  ASSERT_EQ(LoadPluginLibrary(kLoaded), absl::OkStatus());
  const std::string copy = TemporaryFile("copy.so");
  std::ofstream(copy, std::ios::binary) << std::ifstream(kLoaded, std::ios::binary).rdbuf();
  const std::string why = absl::StrCat(": the name of scheduler \"loaded\" is taken by one that comes from ", kLoaded);
  EXPECT_EQ(Refused(copy), absl::StrCat("plug-in ", copy, why));
  // A bare name is a file in the current folder.
  const std::string folder = CurrentFolder();
  ASSERT_EQ(chdir(::testing::TempDir().c_str()), 0);
  EXPECT_EQ(Refused("copy.so"), absl::StrCat("plug-in copy.so", why));
  ASSERT_EQ(chdir(folder.c_str()), 0);
}

TEST(PluginLibraryTest, NoSuchFile) {
  EXPECT_EQ(Refused("tests/plugins/nowhere.so"),
            "plug-in tests/plugins/nowhere.so: cannot be read: No such file or directory");
  // A bare name is not searched for where the system keeps its libraries.
  EXPECT_EQ(Refused("libc.so.6"), "plug-in libc.so.6: cannot be read: No such file or directory");
}

TEST(PluginLibraryTest, NotASharedObject) {
  EXPECT_EQ(Refused("tests/plugins/not_a_shared_object.txt"),
            "plug-in tests/plugins/not_a_shared_object.txt: is not a shared object (invalid ELF header)");
  const std::string empty = TemporaryFile("empty.so");
  std::ofstream(empty).close();
  EXPECT_EQ(Refused(empty), "plug-in " + empty + ": is not a shared object (file too short)");
  EXPECT_THAT(Refused("tests/plugins"), StartsWith("plug-in tests/plugins: cannot be loaded: cannot read file data"));
}

TEST(PluginLibraryTest, NoPluginInside) {
  EXPECT_EQ(Refused("tests/plugins/no_plugin.so"),
            "plug-in tests/plugins/no_plugin.so: is no gyre plug-in: it registers nothing (GYRE_REGISTER_SCHEDULER and "
            "its like do)");
}

TEST(PluginLibraryTest, PartOfTheProgram) {
  Dl_info libc;
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&dlopen), &libc), 0);
  EXPECT_THAT(Refused(libc.dli_fname), HasSubstr("is part of the program already"));
}

TEST(PluginLibraryTest, OtherVersionOfTheInterface) {
  EXPECT_EQ(Refused("tests/plugins/other_version.so"),
            "plug-in tests/plugins/other_version.so: was built against version 4711 of the plug-in interface; this "
            "program has version " +
                std::to_string(GYRE_PLUGIN_INTERFACE_VERSION));
}

TEST(PluginLibraryTest, FunctionThatIsNowhere) {
  EXPECT_THAT(Refused("tests/plugins/unresolved.so"),
              AllOf(StartsWith("plug-in tests/plugins/unresolved.so: cannot be loaded: undefined symbol: "),
                    HasSubstr("; the program must be of the same version of gyre, and be linked with -rdynamic")));
}

TEST(PluginLibraryTest, TakenNameRefusesTheWholeFileEachTime) {
  const std::string why =
      "plug-in tests/plugins/taken_name.so: the name of scheduler \"present\" is taken by one that is built in";
  EXPECT_EQ(Refused("tests/plugins/taken_name.so"), why);
  EXPECT_EQ(Refused("tests/plugins/taken_name.so"), why);
  EXPECT_THAT(StartedState("not-taken"), StartsWith("unknown scheduler \"not-taken\""));
  EXPECT_EQ(StartedState("present"), "limit=8 ");
}

TEST(PluginLibraryTest, NameTakenFromItself) {
  EXPECT_EQ(Refused("tests/plugins/twins.so"),
            "plug-in tests/plugins/twins.so: the name of scheduler \"twin\" is taken by one that comes from "
            "tests/plugins/twins.so");
}

TEST(PluginLibraryTest, OptionNamedLikeAKeyOfTheConfiguration) {
  EXPECT_EQ(
      Refused("tests/plugins/key_option.so"),
      "plug-in tests/plugins/key_option.so: scheduler \"greedy\" names an option \"procs\", which is a key of the "
      "configuration");
}

TEST(PluginLibraryTest, LoadInsideALoad) {
  ASSERT_EQ(LoadPluginLibrary("tests/plugins/loads_another.so"), absl::OkStatus());
  const std::vector<PluginInfo> plugins = ListPlugins(PluginKind::kScheduler);
  ASSERT_NE(Find(plugins, "nested"), nullptr);
  EXPECT_EQ(Find(plugins, "nested")->help,
            "plug-in tests/plugins/no_plugin.so: cannot be loaded while another plug-in is being loaded");
}

}  // namespace
}  // namespace gyre
