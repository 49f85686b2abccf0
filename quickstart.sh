#!/bin/bash
# From a clone to a running image: builds examples/python-web with the embedded builder into an OCI layout, starts its
# web process in the sandbox, fetches the page, shows what was built and stops it. `make quickstart` compiles first.
# No Docker, no account, nothing outside of build/quickstart and the store (~/.cache/ci-image-builder).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Installing Debian packages into the builder's root needs root. HOME is root's then, so that no file of ours appears in
# a folder of the user's.
if [ "$(id -u)" -ne 0 ]; then
  exec sudo -E -H "./$(basename "${BASH_SOURCE[0]}")" "$@"
fi

program=build/ci-image-builder
out=build/quickstart
[ -x "$program" ] || { echo "error: $program is missing" >&2; echo "  next: run make" >&2; exit 1; }
mkdir -p "$out"

server=
finish() {
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  # What sudo made belongs to whoever called it.
  if [ -n "${SUDO_UID:-}" ]; then chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$out"; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "== build: examples/python-web"
"$program" build examples/python-web --builder embedded --output "oci:$out/image" --report "$out/report.json"

echo
echo "== start: the process \"web\" of the image, in the sandbox"
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$program" run "oci:$out/image" --process web --env HOST=127.0.0.1 --env PORT="$port" >"$out/web.log" 2>&1 &
server=$!

url=http://127.0.0.1:$port/
deadline=$((SECONDS + 60))
until curl -fsS --noproxy '*' --max-time 5 "$url" >"$out/page.html" 2>/dev/null; do
  if ! kill -0 "$server" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
    echo "error: the web process does not answer on $url; it said:" >&2
    cat "$out/web.log" >&2
    exit 1
  fi
  sleep 0.1
done
echo "GET $url"
sed 's/^/  │ /' "$out/page.html"

kill -TERM "$server"
wait "$server" || true
server=
echo "stopped"

echo
echo "== what was built"
/usr/bin/python3 - "$out/report.json" "$out/image" <<'PYTHON'
import json, pathlib, sys

report = json.load(open(sys.argv[1]))
layout = pathlib.Path(sys.argv[2])


def blob(descriptor):
    return json.loads((layout / "blobs" / descriptor["digest"].replace(":", "/")).read_text())


def size(count):
    for unit, limit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return f"{count} B"


manifest = blob(json.loads((layout / "index.json").read_text())["manifests"][0])
diff_ids = blob(manifest["config"])["rootfs"]["diff_ids"]
made = {layer["diff_id"]: layer for layer in report["layers"] if layer["where"] == "image"}
image = report["images"][0]
reused = 0
print(f"image    {image['name']}")
print(f"digest   {image['digest']}")
print(f"size     {size(image['size'])}, {size(image['written'])} of it written now")
print("layers")
for descriptor, diff_id in zip(manifest["layers"], diff_ids):
    layer = made.get(diff_id)
    if layer is None:
        name, origin = "debian", "from the run image"
    else:
        name = layer["name"]
        origin = "new" if layer["how"] == "fresh" else f"reused: {layer['reason']}"
        reused += layer["how"] != "fresh"
    print(f"  {name:<28}{size(descriptor['size']):>9}   {origin}")
print("phases")
for phase in report["phases"]:
    print(f"  {phase['name']:<10}{phase['seconds']:>6.1f} s  {phase['summary']}")
    for buildpack in report["buildpacks"] if phase["name"] == "build" else ():
        print(f"    {buildpack['id']:<26}{buildpack['seconds']:>6.1f} s")
print(f"total    {report['seconds']:.1f} s")
if reused:
    print(f"reused   {reused} of {len(made)} layers of the application, and the builder of before")
PYTHON

cat <<EOF2

Next: $program build YOUR-FOLDER --output oci:image && $program run oci:image
EOF2
