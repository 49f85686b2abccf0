"""The second process of the image: counts until it is told to stop."""

import signal
import sys
import time

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

count = 0
while True:
    count += 1
    print(f"worker: round {count}", flush=True)
    time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
