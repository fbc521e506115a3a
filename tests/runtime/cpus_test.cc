// The CPU quota of control groups, read from a folder that looks like /proc and /sys.
#include "runtime/cpus.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace gyre::internal {
namespace {

class CpusTest : public ::testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = root_ + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  const std::string root_ = ::testing::TempDir() + "/" +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(CpusTest, NoGroupsNoQuota) { EXPECT_EQ(CpuQuota(root_), 0); }

TEST_F(CpusTest, VersionTwoTheTightestGroupUpwardsCounts) {
  Write("/proc/self/cgroup", "0::/a/b\n");
  Write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(CpuQuota(root_), 0);
  Write("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(CpuQuota(root_), 1.5);
  Write("/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n");
  EXPECT_EQ(CpuQuota(root_), 1.5);
}

TEST_F(CpusTest, InAContainerTheRootGroupCounts) {
  Write("/proc/self/cgroup", "0::/docker/0123\n");
  Write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(CpuQuota(root_), 0.5);
}

TEST_F(CpusTest, VersionOne) {
  Write("/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/g\n0::/\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/g/cpu.cfs_quota_us", "-1\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/g/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CpuQuota(root_), 0);
  Write("/sys/fs/cgroup/cpu,cpuacct/g/cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(CpuQuota(root_), 4);
}

TEST_F(CpusTest, WhatIsNoQuotaIsNone) {
  Write("/proc/self/cgroup", "0::/\nnonsense\n::\n");
  Write("/sys/fs/cgroup/cpu.max", "lots of it\n");
  EXPECT_EQ(CpuQuota(root_), 0);
}

TEST(UsableCpusTest, AtLeastOne) { EXPECT_GE(UsableCpus(), 1); }

}  // namespace
}  // namespace gyre::internal
