"""The certificates of a site reach the buildpacks, and nothing of them reaches the image; so do its proxies."""

import builder
import oci_reader
import pytest
import site_tls

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ROOTFS = ["overlay", "flat"]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return site_tls.compile_client(tmp_path_factory.mktemp("client"))


@pytest.fixture
def site(bench):
    return site_tls.Authority(bench.folder / "site", "Golden Site")


@pytest.fixture
def stranger(bench):
    return site_tls.Authority(bench.folder / "stranger", "Golden Stranger")


def looks_for(authority, port=0):
    """A buildpack that says whether the authority is in the bundle and, with a port, what the client gets from there."""
    return builder.Buildpack.script(
        "golden/looks",
        'mkdir -p "$1/seen"; printf "[types]\\nlaunch = true\\n" > "$1/seen.toml"\n'
        f'if grep -q -F "{authority.line}" {BUNDLE} 2>/dev/null; then echo trusted; else echo unknown; fi > "$1/seen/bundle"\n'
        f'grep -c BEGIN {BUNDLE} > "$1/seen/count" 2>/dev/null || true\n'
        + (f'tls-get {port} > "$1/seen/answer" || true\n' if port else ""))


def builder_of(buildpack, *, client=None, bundle=None):
    base = builder.Layer()
    if client:
        base.file("bin/tls-get", client, 0o755)
    if bundle is not None:
        for name in ("etc", "etc/ssl", "etc/ssl/certs"):
            base.folder(name)
        base.file(BUNDLE[1:], bundle)
    return builder.golden_builder(builder.one_group("golden/looks"), [buildpack], base=[base])


def seen(image, name):
    return image.file(f"/layers/golden_looks/seen/{name}").decode()


def nothing_of_it_in(image, *authorities):
    for authority in authorities:
        for index in range(len(image.layers)):
            assert authority.line.encode() not in image.tar(index)
            assert all(not entry.name.lstrip("/").startswith("etc/ssl") for entry in image.entries(index))
        assert authority.line.encode() not in image.config_bytes


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("has_bundle", [True, False])
def test_a_ca_file_is_trusted_by_a_real_client(bench, site, stranger, client, rootfs, has_bundle):
    """The builder's own bundle is added to, or made where there is none."""
    with site_tls.https_server(site) as port:
        image = builder_of(looks_for(site, port), client=client,
                           bundle=stranger.certificate.read_text() if has_bundle else None)
        built = bench.built(bench.builder(image), "--ca-file", site.certificate, rootfs=rootfs)
    assert seen(built, "bundle") == "trusted\n"
    assert seen(built, "answer") == site_tls.ANSWER.decode()
    nothing_of_it_in(built, site)


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_without_it_the_client_refuses(bench, site, stranger, client, rootfs):
    with site_tls.https_server(site) as port:
        image = builder_of(looks_for(site, port), client=client, bundle=stranger.certificate.read_text())
        built = bench.built(bench.builder(image), rootfs=rootfs)
    assert seen(built, "bundle") == "unknown\n"
    assert seen(built, "answer").startswith("refused: "), seen(built, "answer")


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_the_builders_own_certificates_stay(bench, site, stranger, rootfs):
    image = builder_of(looks_for(stranger), bundle=stranger.certificate.read_text())
    built = bench.built(bench.builder(image), "--ca-file", site.certificate, rootfs=rootfs)
    assert seen(built, "bundle") == "trusted\n"


def on_a_machine_that_trusts(authority, folder):
    """A prefix: this machine's bundle with the authority added, seen by the program alone."""
    bundle = folder / "bundle.crt"
    with open(BUNDLE) as machine:
        bundle.write_text(machine.read() + authority.certificate.read_text())
    bundle.chmod(0o644)
    return ("unshare", "--mount", "--propagation", "private", "sh", "-ec",
            f'mount --bind "{bundle}" {BUNDLE}; exec "$@"', "sh")


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("has_bundle", [True, False])
def test_what_this_machine_trusts_is_trusted_inside(bench, root, site, stranger, client, rootfs, has_bundle):
    with site_tls.https_server(site) as port:
        image = builder_of(looks_for(site, port), client=client,
                           bundle=stranger.certificate.read_text() if has_bundle else None)
        built = bench.built(bench.builder(image), prefix=on_a_machine_that_trusts(site, bench.folder), rootfs=rootfs)
    assert seen(built, "bundle") == "trusted\n"
    assert seen(built, "answer") == site_tls.ANSWER.decode()
    nothing_of_it_in(built, site)


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_no_host_ca_keeps_this_machines_certificates_out(bench, root, site, stranger, client, rootfs):
    with site_tls.https_server(site) as port:
        image = builder_of(looks_for(site, port), client=client, bundle=stranger.certificate.read_text())
        built = bench.built(bench.builder(image), "--no-host-ca", prefix=on_a_machine_that_trusts(site, bench.folder),
                            rootfs=rootfs)
    assert seen(built, "bundle") == "unknown\n"
    assert seen(built, "count") == "1\n", "only the builder's own"
    assert seen(built, "answer").startswith("refused: "), seen(built, "answer")


def test_ssl_cert_file_of_the_caller_counts(bench, site, stranger):
    image = builder_of(looks_for(site), bundle=stranger.certificate.read_text())
    built = bench.built(bench.builder(image), env={"SSL_CERT_FILE": str(site.certificate)})
    assert seen(built, "bundle") == "trusted\n"
    nothing_of_it_in(built, site)


def test_the_bundle_does_not_change_the_image(bench, site):
    """Two machines that trust different authorities build the same image."""
    reference = bench.builder(builder.kinds_builder())
    digests = set()
    for name, flags in (("with", ["--ca-file", site.certificate]), ("without", ["--no-host-ca"])):
        folder = bench.folder / name
        digests.add(bench.built(reference, *flags, out=folder / "out", store=folder / "store", cache=folder / "cache").digest)
    assert len(digests) == 1


def test_a_key_in_the_ca_file_stays_outside(bench, site):
    """A file with more than certificates: only those are taken."""
    both = bench.folder / "both.pem"
    both.write_text(site.key.read_text() + site.certificate.read_text())
    key_line = site.key.read_text().splitlines()[1]
    buildpack = builder.Buildpack.script(
        "golden/looks",
        'mkdir -p "$1/seen"; printf "[types]\\nlaunch = true\\n" > "$1/seen.toml"\n'
        f'if grep -q -F "{key_line}" {BUNDLE}; then echo leaked; else echo kept; fi > "$1/seen/key"\n'
        f'grep -q -F "{site.line}" {BUNDLE} && echo trusted > "$1/seen/bundle"')
    built = bench.built(bench.builder(builder_of(buildpack)), "--ca-file", both)
    assert (seen(built, "key"), seen(built, "bundle")) == ("kept\n", "trusted\n")


@pytest.mark.parametrize("text", [None, "no certificate at all\n"])
def test_a_ca_file_that_is_none(bench, text):
    path = bench.folder / "bad.pem"
    if text is not None:
        path.write_text(text)
    result = bench.build(bench.builder(builder.kinds_builder()), "--ca-file", path)
    assert result.exit in (2, 78), result
    assert str(path) in result.stderr, result
    assert not bench.out.exists()


PROXIES = {"HTTP_PROXY": "http://proxy.invalid:3128", "HTTPS_PROXY": "http://proxy.invalid:3129",
           "NO_PROXY": "localhost,.golden.invalid"}
PROXIES |= {name.lower(): value for name, value in PROXIES.items()}  # programs disagree on the case


@pytest.mark.parametrize("phase", ["detect", "build"])
def test_the_proxies_of_the_caller_are_seen_by_buildpacks(bench, phase):
    show = "env | grep -i _proxy= | sort"
    write = 'mkdir -p "$1/seen"; printf "[types]\\nlaunch = true\\n" > "$1/seen.toml"; '
    if phase == "build":
        pack = builder.Buildpack.script("golden/looks", f'{write} {show} > "$1/seen/proxies"')
    else:
        pack = builder.Buildpack.script(
            "golden/looks", f'{write} cp /data/proxies "$1/seen/proxies"', detect=f"{show} > /data/proxies")
    data = bench.folder / "data"
    data.mkdir()
    data.chmod(0o777)
    image = builder.golden_builder(builder.one_group("golden/looks"), [pack])
    built = bench.built(bench.builder(image), "--volume", f"{data}:/data:rw", env=PROXIES)
    assert seen(built, "proxies").splitlines() == sorted(f"{name}={value}" for name, value in PROXIES.items())


def test_a_proxys_password_is_nowhere_in_image_or_report(bench):
    secret = "golden-proxy-password"
    image = bench.built(bench.builder(builder.kinds_builder()), "-v", env={"HTTPS_PROXY": f"http://user:{secret}@proxy.invalid:1"})
    for index in range(len(image.layers)):
        assert secret.encode() not in image.tar(index)
    assert secret.encode() not in image.config_bytes
    assert secret not in bench.report.read_text()
    assert all(secret.encode() not in path.read_bytes() for path in bench.cache.rglob("*") if path.is_file())
    assert oci_reader.Image(bench.out).strays() == []
