// A small root (busybox and bash, both static) and sandboxes in it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "sandbox/helper.hpp"
#include "sandbox/namespaces.hpp"
#include "sandbox/probe.hpp"
#include "sandbox/sandbox.hpp"

namespace cib::sandbox::testing {

constexpr uid_t cnb_uid = 1234;
constexpr gid_t cnb_gid = 1235;

// The helper that main() started, and the variable that it must not have inherited.
Helper& helper();
constexpr const char* secret_name = "CIB_TEST_SECRET";
constexpr const char* secret_value = "not-for-the-helper-5d1f";

// /bin/busybox with some applets, /bin/bash, /etc/passwd.
void make_root(const fs::path& folder);

// A root of two layers (overlay) or one folder (flat) below `folder`.
store::RootTree make_tree(const fs::path& folder, bool overlay, bool user_xattr);

// What a shell script printed and how it ended.
struct Outcome {
  Exit exit;
  std::string output;
};
Outcome run(Sandbox& sandbox, const Process& process, std::stop_token stop = {});
Outcome shell(Sandbox& sandbox, const std::string& script);

// The processes of this machine whose command line contains the text (not our own).
std::vector<pid_t> processes_with(const std::string& text);

// One rung and one kind of root.
struct Way {
  Rung::Kind kind;
  bool overlay;
};
std::string way_name(const ::testing::TestParamInfo<Way>& info);

// Skips what this user of this machine cannot do at all; everything that the probe offers must work.
class InRoot : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override;
  bool rootless() const { return GetParam().kind == Rung::Kind::namespaces_rootless; }
  sandbox::Setup setup() const;
  std::unique_ptr<Sandbox> make(const sandbox::Setup& setup) const { return make_sandbox(helper(), m_rung, setup); }
  std::unique_ptr<Sandbox> make() const { return make(setup()); }
  // A new folder of this machine that the user inside may write to.
  fs::path writable_folder(const std::string& name) const;
  // Where a file that was written to the root lies on this machine.
  fs::path written(const std::string& path) const;

  TempFolder m_folder;
  store::RootTree m_tree;
  Rung m_rung;
};

inline const auto all_ways =
    ::testing::Values(Way{Rung::Kind::namespaces_root, true}, Way{Rung::Kind::namespaces_root, false},
                      Way{Rung::Kind::namespaces_rootless, true}, Way{Rung::Kind::namespaces_rootless, false});

// The other programs that the test's main() can be.
std::optional<int> maybe_role(int argc, char** argv);
// Runs this program in such a role and waits; returns its exit code and output.
Outcome run_role(const std::vector<std::string>& arguments);

}  // namespace cib::sandbox::testing
