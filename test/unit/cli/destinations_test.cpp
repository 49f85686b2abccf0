#include "cli/destinations.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

using namespace cib;
using namespace cib::cli;

TEST(DefaultCache, is_the_same_before_and_after_the_output_exists) {
  TempFolder temp;
  const store::Store store(temp.path() / "store");
  const fs::path before = fs::current_path();
  fs::current_path(temp.path());
  const auto output = oci::parse_reference("oci:image");
  const fs::path first = default_cache(store, output);
  make_folders(temp.path() / "image");
  const fs::path second = default_cache(store, output);
  fs::current_path(before);
  EXPECT_EQ(first, second);
  EXPECT_EQ(first, default_cache(store, oci::parse_reference("oci:" + (temp.path() / "image").string())));
}

TEST(DefaultCache, tags_of_a_layout_have_caches_of_their_own) {
  TempFolder temp;
  const store::Store store(temp.path() / "store");
  EXPECT_NE(default_cache(store, oci::parse_reference("oci:x:a")), default_cache(store, oci::parse_reference("oci:x:b")));
}

TEST(DefaultOutput, is_told_by_the_application_s_folder) {
  TempFolder temp;
  const store::Store store(temp.path() / "store");
  make_folders(temp.path() / "a/app");
  make_folders(temp.path() / "b/app");
  const auto a = default_output(store, temp.path() / "a/app"), b = default_output(store, temp.path() / "b/app");
  EXPECT_TRUE(a.path.filename().string().starts_with("app-"));
  EXPECT_NE(a.path, b.path);
  EXPECT_EQ(a.path, default_output(store, temp.path() / "b/../a/app/").path);
}

TEST(LiesWithin, an_output_below_the_application_whether_it_exists_or_not) {
  TempFolder temp;
  const fs::path app = temp.path() / "app";
  make_folders(app);
  const auto within = [&](const std::string& path) { return lies_within(oci::parse_reference("oci:" + path), app); };
  EXPECT_TRUE(within((app / "image").string()));
  EXPECT_TRUE(within((app / "a" / ".." / "image").string()));
  EXPECT_FALSE(within((app / ".." / "image").string()));
  EXPECT_FALSE(within((temp.path() / "app-image").string()));
}

TEST(OpenImage, a_registry_s_name_is_refused_with_what_to_do) {
  TempFolder temp;
  try {
    open_image("--builder", oci::parse_reference("paketobuildpacks/builder:full"), temp.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_NE(error.next().find("oci:"), std::string::npos);
  }
}

TEST(DecideRootfs, overlay_where_it_works_flat_elsewhere_and_never_against_the_user) {
  sandbox::Rung rung;
  rung.overlay = true;
  EXPECT_EQ(decide_rootfs(RootfsChoice::automatic, rung).kind, store::RootfsKind::overlay);
  EXPECT_EQ(decide_rootfs(RootfsChoice::flat, rung).kind, store::RootfsKind::flat);
  rung.overlay = false;
  EXPECT_EQ(decide_rootfs(RootfsChoice::automatic, rung).kind, store::RootfsKind::flat);
  EXPECT_THROW(decide_rootfs(RootfsChoice::overlay, rung), Error);
}
