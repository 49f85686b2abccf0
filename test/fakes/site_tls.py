"""A site with a certificate authority of its own: the CA, an HTTPS server that it certified, and a real TLS client."""

import contextlib
import http.server
import pathlib
import ssl
import subprocess
import threading

HERE = pathlib.Path(__file__).resolve().parent
ANSWER = b"hello from inside the site\n"


def run(*command, **options):
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=120, **options)


class Authority:
    def __init__(self, folder, name):
        self.folder = folder
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self.key, self.certificate = folder / "ca.key", folder / "ca.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/O={name}/CN={name}", "-keyout", self.key, "-out", self.certificate,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        self.certificate.chmod(0o644)

    @property
    def line(self):
        """A line of base64 that no other certificate has."""
        lines = self.certificate.read_text().splitlines()
        return lines[3]

    def certify(self, address):
        key, request, certificate = (self.folder / f"server.{kind}" for kind in ("key", "csr", "pem"))
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=site",
            "-keyout", key, "-out", request)
        extensions = self.folder / "extensions"
        extensions.write_text(f"subjectAltName=IP:{address}\n")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
            "-days", "30", "-extfile", extensions, "-out", certificate)
        return certificate, key


@contextlib.contextmanager
def https_server(authority):
    """Gives the port of an HTTPS server on 127.0.0.1."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass  # clients that do not trust us end the handshake: that is what is tested

    certificate, key = authority.certify("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=30)


def compile_client(folder):
    """tls_client.c as a static program, which runs in any root."""
    target = folder / "tls-get"
    run("gcc", "-O1", "-static", "-w", "-o", target, HERE / "tls_client.c", "-lssl", "-lcrypto")
    return target.read_bytes()
