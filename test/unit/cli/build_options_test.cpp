#include "cli/build_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <sstream>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "store/store.hpp"

namespace cib::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class BuildOptionsOf : public ::testing::Test {
 protected:
  void SetUp() override { unsetenv("SOURCE_DATE_EPOCH"); }
  void TearDown() override {
    unsetenv("SOURCE_DATE_EPOCH");
    unsetenv("CIB_TEST_SET");
  }

  static BuildOptions parsed(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-o", "oci:image"});
    return parse_build_options(arguments);
  }
  // The first line of the failure, which must be one of usage.
  static std::string refused(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"-o", "oci:image"});
    try {
      parse_build_options(arguments);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      return error.message();
    }
    return "accepted";
  }
  fs::path file(std::string_view name, std::string_view text) const {
    write_file(folder.path() / name, text);
    return folder.path() / name;
  }

  TempFolder folder;
};

TEST_F(BuildOptionsOf, nothing_are_the_defaults) {
  const BuildOptions options = parsed({});
  EXPECT_EQ(options.path, ".");
  EXPECT_EQ(options.builder, "");
  EXPECT_TRUE(options.buildpacks.empty());
  EXPECT_TRUE(options.env.empty());
  EXPECT_EQ(options.network, sandbox::Network::host);
  EXPECT_EQ(options.rootfs, RootfsChoice::automatic);
  EXPECT_EQ(options.isolation, IsolationChoice::automatic);
  EXPECT_EQ(options.jobs, usable_cpus());
  EXPECT_GE(options.jobs, 1u);
  EXPECT_EQ(options.creation_time, std::nullopt);
  EXPECT_EQ(options.cache_dir, std::nullopt);
  EXPECT_EQ(options.ca_file, std::nullopt);
  EXPECT_EQ(options.store, store::default_store_path());
  EXPECT_FALSE(options.clear_cache || options.no_host_ca || options.no_color || options.verbose || options.quiet);
  ASSERT_EQ(options.outputs.size(), 1u);
  EXPECT_EQ(options.outputs[0].kind, oci::Reference::Kind::layout);
}

TEST_F(BuildOptionsOf, every_flag_arrives) {
  const std::string dir = folder.path().string();
  const fs::path ca = file("ca.pem", "-----BEGIN CERTIFICATE-----");
  const BuildOptions options = parsed(
      {"--path", dir, "--builder", "oci:b", "--run-image=oci:run", "--default-process", "web", "--network", "none",
       "--rootfs", "flat", "--isolation", "rootless", "--jobs", "3", "--ca-file", ca.string(), "--no-host-ca",
       "--cache-dir", dir + "/cache", "--clear-cache", "--store", dir + "/store", "--previous-image", "oci:old",
       "--creation-time", "1566172801", "--report", dir + "/r.json", "-o", "docker-archive:" + dir + "/a.tar", "-t", "demo/app:1",
       "--tag", "demo/app:2", "--no-color", "-v"});
  EXPECT_EQ(options.path, dir);
  EXPECT_EQ(options.builder, "oci:b");
  EXPECT_EQ(options.run_image, "oci:run");
  EXPECT_EQ(options.default_process, "web");
  EXPECT_EQ(options.network, sandbox::Network::none);
  EXPECT_EQ(options.rootfs, RootfsChoice::flat);
  EXPECT_EQ(options.isolation, IsolationChoice::rootless);
  EXPECT_EQ(options.jobs, 3u);
  EXPECT_EQ(options.ca_file, ca);
  EXPECT_TRUE(options.no_host_ca);
  EXPECT_EQ(options.cache_dir, dir + "/cache");
  EXPECT_TRUE(options.clear_cache);
  EXPECT_EQ(options.store, dir + "/store");
  EXPECT_EQ(options.previous_image, "oci:old");
  EXPECT_EQ(options.creation_time, 1566172801);
  EXPECT_EQ(options.report_file, dir + "/r.json");
  ASSERT_EQ(options.outputs.size(), 2u);
  EXPECT_EQ(options.outputs[0].kind, oci::Reference::Kind::archive);
  EXPECT_EQ(options.outputs[0].path, dir + "/a.tar");
  EXPECT_THAT(options.tags, ElementsAre("demo/app:1", "demo/app:2"));
  EXPECT_TRUE(options.no_color);
  EXPECT_TRUE(options.verbose);
}

TEST_F(BuildOptionsOf, the_folder_may_be_an_argument) {
  EXPECT_EQ(parsed({folder.path().string()}).path, folder.path());
  EXPECT_EQ(refused({"/nonexistent"}), "build: --path: no such folder: /nonexistent");
}

TEST_F(BuildOptionsOf, buildpacks_come_in_order_from_lists_and_repetition) {
  EXPECT_THAT(parsed({"-b", "x/a@1, ./b", "--buildpack=c"}).buildpacks, ElementsAre("x/a@1", "./b", "c"));
  EXPECT_EQ(refused({"-b", "a,,b"}), "build: --buildpack: \"a,,b\" holds an empty name");
  EXPECT_EQ(refused({"-b", ","}), "build: --buildpack: \",\" holds an empty name");
}

TEST_F(BuildOptionsOf, the_last_of_a_single_flag_counts) { EXPECT_EQ(parsed({"-B", "oci:a", "-B", "oci:b"}).builder, "oci:b"); }

TEST_F(BuildOptionsOf, variables_keep_their_value_as_it_is) {
  setenv("CIB_TEST_SET", "from outside", 1);
  EXPECT_THAT(parsed({"-e", "A=1=2, [x]", "--env", "B=", "-e", "CIB_TEST_SET", "-e", "CIB_TEST_NOT_SET", "-e", "C=[1,2]"}).env,
              ElementsAre(Pair("A", "1=2, [x]"), Pair("B", ""), Pair("C", "[1,2]"),
                          Pair("CIB_TEST_NOT_SET", ""), Pair("CIB_TEST_SET", "from outside")));
  EXPECT_THROW(parsed({"-e", "=x"}), Error);
  EXPECT_THROW(parsed({"-e", "../x=1"}), Error);
  EXPECT_EQ(refused({"-e", ""}), "build: --env needs a value");
}

TEST_F(BuildOptionsOf, env_files_are_read_in_order_and_lose_to_env) {
  setenv("CIB_TEST_SET", "from outside", 1);
  const fs::path one = file("one", "# comment\n\nA=one\r\n  B=b c \nCIB_TEST_SET\nCIB_TEST_NOT_SET\n");
  const fs::path two = file("two", "A=two\nC=\"quoted\"");
  EXPECT_THAT(parsed({"-e", "C=flag", "--env-file", one, "--env-file", two}).env,
              ElementsAre(Pair("A", "two"), Pair("B", "b c"), Pair("C", "flag"), Pair("CIB_TEST_NOT_SET", ""),
                          Pair("CIB_TEST_SET", "from outside")));
  EXPECT_EQ(refused({"--env-file", "/nonexistent"}), "build: --env-file: no such file: /nonexistent");
  const fs::path broken = file("broken", "A=1\n=2\n");
  try {
    parsed({"--env-file", broken});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_TRUE(error.message().starts_with(broken.string() + ": line 2: ")) << error.message();
  }
  EXPECT_THROW(parsed({"--env-file", file("zero", std::string("A=\0x\n", 6))}), Error);
}

TEST_F(BuildOptionsOf, volumes_are_read_only_unless_asked) {
  const std::string dir = folder.path().string();
  const BuildOptions options = parsed({"--volume", dir + ":/platform/bindings/ca", "--volume", dir + ":/m2/:rw", "--volume", dir + "://x/./y:ro"});
  ASSERT_EQ(options.volumes.size(), 3u);
  EXPECT_EQ(options.volumes[0].source, folder.path());
  EXPECT_EQ(options.volumes[0].target, "/platform/bindings/ca");
  EXPECT_TRUE(options.volumes[0].read_only);
  EXPECT_EQ(options.volumes[1].target, "/m2");
  EXPECT_FALSE(options.volumes[1].read_only);
  EXPECT_EQ(options.volumes[2].target, "/x/y");
  EXPECT_TRUE(options.volumes[2].read_only);
}

TEST_F(BuildOptionsOf, volumes_cannot_hide_what_the_build_needs) {
  for (const std::string target : {"/", "//", "/cnb", "/cnb/buildpacks", "/layers/", "/workspace", "/platform", "/platform/env/X", "/proc/1"})
    EXPECT_THAT(refused({"--volume", "/tmp:" + target}), HasSubstr("belongs to the build itself")) << target;
  EXPECT_THAT(refused({"--volume", "/tmp:/a/../cnb"}), HasSubstr("goes up with .."));
  EXPECT_THAT(refused({"--volume", "/tmp:relative"}), HasSubstr("is not an absolute path"));
  EXPECT_THAT(refused({"--volume", "/tmp"}), HasSubstr("does not say what is seen where"));
  EXPECT_THAT(refused({"--volume", ":/x"}), HasSubstr("does not say what is seen where"));
  EXPECT_EQ(refused({"--volume", "/nonexistent:/x"}), "build: --volume /nonexistent:/x: no such file or folder: /nonexistent");
  EXPECT_EQ(refused({"--volume", "/tmp:/x:wr"}), "--volume /tmp:/x:wr: no such value \"wr\" (did you mean \"rw\"?)");
  EXPECT_EQ(parsed({"--volume", "/tmp:/cnbx"}).volumes[0].target, "/cnbx");
}

TEST_F(BuildOptionsOf, outputs_say_what_they_are) {
  EXPECT_TRUE(parse_build_options({}).outputs.empty());
  EXPECT_EQ(refused({"-o", "image"}), "build: --output: \"image\" does not say what kind of image to make");
  EXPECT_EQ(refused({"-o", "docker-archve:x"}), "build: --output: no such kind of image: \"docker-archve\" (did you mean \"docker-archive\"?)");
  EXPECT_EQ(refused({"-o", "oci:"}), "build: --output: \"oci:\" names no path");
  EXPECT_EQ(refused({"-o", "oci::tag"}), "build: --output: \"oci::tag\" names no path");
  EXPECT_EQ(refused({"-o", "oci:./image/"}), "build: --output: ./image/ is named twice");
  EXPECT_EQ(refused({"-o", "docker-archive:" + folder.path().string()}),
            "build: --output: " + folder.path().string() + " is a folder, an archive is a file");
  const fs::path some = file("some", "");
  EXPECT_EQ(refused({"-o", "oci:" + some.string()}), "build: --output: " + some.string() + " is a file, an OCI layout is a folder");
  EXPECT_EQ(refused({"-t", "demo"}), "build: --tag names an archive, but no --output is one");
  EXPECT_EQ(parse_build_options({"-o", "oci:x:tag"}).outputs[0].tag, "tag");
}

TEST_F(BuildOptionsOf, an_output_in_a_registry_is_refused_with_what_to_do) {
  try {
    parse_build_options({"-o", "registry.example:5000/app:1"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_THAT(error.next(), HasSubstr("skopeo copy"));
  }
}

TEST_F(BuildOptionsOf, tags_are_names_that_docker_load_takes) {
  for (const std::string good : {"demo", "demo/app:1.2", "localhost:5000/a/b:Tag_1", "REG.example/a", "a__b.c-d:x"})
    EXPECT_EQ(parse_build_options({"-o", "docker-archive:a.tar", "-t", good}).tags[0], good);
  for (const std::string wrong : {"Demo", "de mo", "demo:", ":1", "a//b", "/a", "a/", "-a", "a-", "demo:1:2", "demo@sha256:0",
                                  "demo:-1", "demo:a b"})
    EXPECT_EQ(refused({"-o", "docker-archive:a.tar", "-t", wrong}), "build: --tag: \"" + wrong + "\" is no name of an image");
}

TEST_F(BuildOptionsOf, creation_time_is_a_number_now_or_the_epoch_of_the_environment) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_GE(parsed({"--creation-time", "now"}).creation_time, now);
  EXPECT_EQ(parsed({"--creation-time", "0"}).creation_time, 0);
  for (const std::string wrong : {"yesterday", "-1", "1.5", "99999999999999999999", "253402300800", "1 "})
    EXPECT_EQ(refused({"--creation-time=" + wrong}), "build: --creation-time: \"" + wrong + "\" is no time");
  setenv("SOURCE_DATE_EPOCH", "1641359105", 1);
  EXPECT_EQ(parsed({}).creation_time, 1641359105);
  EXPECT_EQ(parsed({"--creation-time", "5"}).creation_time, 5);
  setenv("SOURCE_DATE_EPOCH", "x", 1);
  EXPECT_EQ(refused({}), "build: SOURCE_DATE_EPOCH: \"x\" is no time");
  setenv("SOURCE_DATE_EPOCH", "", 1);
  EXPECT_EQ(parsed({}).creation_time, std::nullopt);
}

TEST_F(BuildOptionsOf, mistyped_values_get_a_suggestion) {
  EXPECT_EQ(refused({"--rootfs", "overly"}), "--rootfs: no such value \"overly\" (did you mean \"overlay\"?)");
  EXPECT_EQ(refused({"--isolation", "rootles"}), "--isolation: no such value \"rootles\" (did you mean \"rootless\"?)");
  EXPECT_EQ(refused({"--network", "nnoe"}), "--network: no such value \"nnoe\" (did you mean \"none\"?)");
  EXPECT_EQ(refused({"--network", "bridge"}), "--network: no such value \"bridge\"");
}

TEST_F(BuildOptionsOf, mistyped_kinds_of_images_get_a_suggestion) {
  EXPECT_EQ(refused({"-B", "oic:x"}), "build: --builder: no such kind of image: \"oic:x\" (did you mean \"oci:x\"?)");
  EXPECT_EQ(refused({"--run-image", "docker-arhive:a:b"}),
            "build: --run-image: no such kind of image: \"docker-arhive:a:b\" (did you mean \"docker-archive:a:b\"?)");
  EXPECT_EQ(refused({"-B", "embeded"}), "build: --builder: no such kind of image: \"embeded\" (did you mean \"embedded\"?)");
  EXPECT_EQ(parsed({"-B", "embedded"}).builder, "embedded");
  EXPECT_EQ(parsed({"-B", "paketobuildpacks/builder:full"}).builder, "paketobuildpacks/builder:full");
}

TEST_F(BuildOptionsOf, mistyped_flags_get_one_line_and_a_suggestion) {
  EXPECT_EQ(refused({"--buildr", "x"}), "build: unknown flag --buildr (did you mean \"--builder\"?)");
  EXPECT_EQ(refused({"--outptu=oci:x"}), "build: unknown flag --outptu (did you mean \"--output\"?)");
  EXPECT_EQ(refused({"-netwrok", "x"}), "build: unknown flag -netwrok (did you mean \"--network\"?)");
  EXPECT_EQ(refused({"-x"}), "build: unknown flag -x");
  EXPECT_EQ(refused({"--privileged"}), "build: unknown flag --privileged");
  EXPECT_EQ(refused({".", "folder"}), "build: unexpected argument \"folder\"");
  EXPECT_EQ(refused({"--", "-x"}), "build: --path: no such folder: -x");
  EXPECT_EQ(refused({"--builder"}), "build: --builder needs a value");
  EXPECT_EQ(refused({"--env"}), "build: --env needs a value");
  EXPECT_EQ(refused({"--builder", "--quiet"}), "build: --builder needs a value");
  EXPECT_EQ(refused({"--jobs", ""}), "build: --jobs needs a value");
  EXPECT_EQ(refused({"--builder="}), "build: --builder needs a value");
  EXPECT_EQ(refused({""}), "build: --path needs a value");
}

TEST_F(BuildOptionsOf, what_cannot_work_is_refused_early) {
  EXPECT_EQ(refused({"-p", "/nonexistent"}), "build: --path: no such folder: /nonexistent");
  EXPECT_EQ(refused({"-j", "0"}), "build: --jobs: \"0\" is not a number from 1 to 1024");
  EXPECT_EQ(refused({"-j", "many"}), "build: --jobs: \"many\" is not a number from 1 to 1024");
  EXPECT_EQ(refused({"-D", "a b"}), "build: --default-process: \"a b\" is no type of process");
  EXPECT_EQ(refused({"--ca-file", "/nonexistent"}), "build: --ca-file: no such file: /nonexistent");
  EXPECT_EQ(refused({"--report", "/nonexistent/r.json"}), "build: --report: /nonexistent/r.json cannot be a file");
  EXPECT_EQ(refused({"--store", file("f", "").string()}), "build: --store: " + (folder.path() / "f").string() + " is no folder");
  EXPECT_EQ(refused({"--cache-dir", file("f", "").string()}), "build: --cache-dir: " + (folder.path() / "f").string() + " is no folder");
  const fs::path plain = file("plain", "no certificate");
  EXPECT_EQ(refused({"--ca-file", plain.string()}),
            "build: --ca-file: " + plain.string() + " holds no certificate in PEM form");
  EXPECT_EQ(refused({"-p", plain.string()}), "build: --path: " + plain.string() + " is a file, not a folder");
  EXPECT_EQ(refused({"-q", "-v"}), "build: --quiet and --verbose contradict each other");
}

TEST(BuildHelp, names_every_flag_in_its_group_and_has_examples) {
  const std::string help = build_help();
  std::size_t at = 0;
  for (const std::string_view part :
       {"Usage: ci-image-builder build [options] [PATH]", "\nInput\n", "-p, --path DIR", "-e, --env NAME[=VALUE]", "--env-file FILE",
        "--volume HOST:TARGET[:ro|rw]", "-D, --default-process TYPE", "\nBuilder\n", "-B, --builder IMAGE",
        "-b, --buildpack NAME[,NAME]", "--run-image IMAGE", "\nOutput\n", "-o, --output KIND:PATH", "-t, --tag NAME[:TAG]",
        "--previous-image IMAGE", "--creation-time TIME", "--report FILE", "\nCache\n", "--cache-dir DIR", "--clear-cache",
        "--store DIR", "\nSandbox\n", "--network host|none", "--isolation auto|namespaces|rootless",
        "--rootfs auto|overlay|flat", "-j, --jobs N", "--ca-file FILE", "--no-host-ca", "\nLog\n", "-v, --verbose", "-q, --quiet",
        "--no-color", "-h, --help", "\nExamples\n", "\n  ci-image-builder build\n", "ci-image-builder build app --builder oci:builder --output oci:image",
        "docs/exit-codes.md"}) {
    const std::size_t found = help.find(part, at);
    ASSERT_NE(found, std::string::npos) << part << "\nin\n" << help;
    at = found;
  }
}

TEST(BuildHelp, fits_into_a_terminal) {
  std::istringstream lines(build_help());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

}  // namespace
}  // namespace cib::cli
