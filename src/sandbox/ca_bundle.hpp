// The certificates of the site: what this machine trusts and the builder's root does not know, put together for the
// processes inside, so that a company's proxy works in buildpacks too.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"

namespace cib::sandbox {

// Where distributions keep their bundle, as seen inside of a root.
constexpr std::array<std::string_view, 4> ca_bundle_paths{
    "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",    // Fedora, RHEL, Amazon Linux
    "/etc/ssl/ca-bundle.pem",              // SUSE
    "/etc/ssl/cert.pem",
};

// This machine's bundle: `ca_file` (--ca-file), else `ssl_cert_file` (the variable SSL_CERT_FILE), else the system's;
// nothing when there is none. Empty text is "not given". Throws Error(configuration) when a given file cannot be read.
std::optional<fs::path> find_host_bundle(const std::string& ca_file, const std::string& ssl_cert_file);

struct MergedBundle {
  std::string text;       // the root's bundle as it is, then the certificates that it lacked
  std::size_t added = 0;  // how many those are; 0: the root needs no other bundle
};

// Certificates are the same when their DER bytes are. From the host's bundle only well-formed CERTIFICATE blocks are
// taken, never keys or comments.
MergedBundle merge_ca_bundles(std::string_view root_bundle, std::string_view host_bundle);

}  // namespace cib::sandbox
