#include <gmock/gmock.h>
#include <unistd.h>

#include "support.hpp"

namespace cib::sandbox::testing {
namespace {

using ::testing::HasSubstr;

TEST(Probe, tries_every_rung_and_says_why) {
  const TempFolder folder;
  const ProbeResult result = try_rungs(helper(), std::nullopt, folder.path());
  ASSERT_EQ(result.attempts.size(), 5u);
  for (const Attempt& attempt : result.attempts) {
    EXPECT_FALSE(attempt.reason.empty());
    EXPECT_EQ(attempt.works, attempt.reason.starts_with("works"));
    if (attempt.kind == Rung::Kind::takeover || attempt.kind == Rung::Kind::chroot ||
        attempt.kind == Rung::Kind::in_place) {
      EXPECT_EQ(attempt.reason, "not built into this program");
    }
  }
}

TEST(Probe, leaves_nothing_behind) {
  const TempFolder folder;
  try_rungs(helper(), std::nullopt, folder.path());
  EXPECT_TRUE(list_folder(folder.path()).empty());
}

TEST(Probe, an_ordinary_user_has_no_root_rung) {
  if (geteuid() == 0) GTEST_SKIP() << "is root";
  const TempFolder folder;
  EXPECT_EQ(try_rungs(helper(), Rung::Kind::namespaces_root, folder.path()).attempts.front().reason, "needs root");
}

TEST(Probe, a_forced_rung_that_does_not_work_is_an_error_with_reason_and_advice) {
  const TempFolder folder;
  try {
    probe(helper(), Rung::Kind::takeover, folder.path());
    FAIL() << "takeover was offered";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_THAT(error.message(), HasSubstr("--isolation takeover"));
    EXPECT_EQ(error.why(), "not built into this program");
    EXPECT_FALSE(error.next().empty());
  }
}

TEST(Probe, what_it_chooses_can_be_used) {
  const TempFolder folder;
  const ProbeResult all = try_rungs(helper(), std::nullopt, folder.path());
  if (!all.rung) GTEST_SKIP() << "nothing works here";
  const Probe chosen = probe(helper(), std::nullopt, folder.path());
  EXPECT_EQ(chosen.rung.kind, all.rung->kind);
  EXPECT_TRUE(chosen.reason.starts_with("works"));
  sandbox::Setup setup;
  setup.root = make_tree(folder.path(), chosen.rung.overlay, chosen.rung.kind == Rung::Kind::namespaces_rootless);
  setup.uid = cnb_uid;
  setup.gid = cnb_gid;
  EXPECT_EQ(shell(*make_sandbox(helper(), chosen.rung, setup), "echo hi").output, "hi\n");
}

TEST(Probe, reads_the_values_of_the_flag) {
  EXPECT_EQ(parse_isolation("namespaces"), Rung::Kind::namespaces_root);
  EXPECT_EQ(parse_isolation("rootless"), Rung::Kind::namespaces_rootless);
  EXPECT_EQ(parse_isolation("in-place"), Rung::Kind::in_place);
  EXPECT_THROW(parse_isolation("docker"), Error);
  EXPECT_THROW(parse_isolation("in place"), Error);
}

}  // namespace
}  // namespace cib::sandbox::testing
