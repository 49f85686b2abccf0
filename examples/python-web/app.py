"""The smallest web application with a requirement: one page, and a page for health checks."""

import os
import platform

from bottle import Bottle, template

app = Bottle()

PAGE = """<!doctype html>
<title>python-web</title>
<h1>Hello from an image that no Docker daemon has seen</h1>
<p>Python {{python}}, user {{user}}, in {{folder}}</p>
"""


@app.get("/")
def index():
    return template(PAGE, python=platform.python_version(), user=os.getuid(), folder=os.getcwd())


@app.get("/health")
def health():
    return "ok\n"


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8000"))
    print(f"listening on port {port}", flush=True)
    app.run(host=os.environ.get("HOST", "0.0.0.0"), port=port, quiet=True)
