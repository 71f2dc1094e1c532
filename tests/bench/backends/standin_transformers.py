"""Stands in for `transformers serve` in tests: answers with the recorded replies of the real one.

Started as `python standin_transformers.py FOLDER [MODE] serve --host H --port P`; MODE `dies` ends at once,
`mute` never listens.
"""

import base64
import json
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BY_MODEL = {
    "/models/tiny-llama": "load_model",
    "/models/cached": "load_model_cached",
    "/models/no-such-model": "load_model_bad_path",
}


class Replay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send(self, name: str) -> None:
        lines = (Path(sys.argv[1]) / f"{name}.jsonl").read_text().splitlines()[1:]
        for line in map(json.loads, lines):
            if "b64" in line:
                self.wfile.write(base64.b64decode(line["b64"]))
        self.close_connection = True

    def do_GET(self) -> None:
        self.send({"/health": "health_before_load", "/v1/models": "models_list"}[self.path])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = json.loads(body or b"{}")
        if self.path == "/load_model":
            self.send(BY_MODEL[asked["model"]])
        else:
            self.send({"/reset": "reset", "/v1/chat/completions": "chat_stream_usage"}[self.path])

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    mode = sys.argv[2]
    if mode == "dies":
        raise SystemExit("no module named torch")
    if mode == "mute":
        time.sleep(60)
    options = sys.argv[sys.argv.index("serve") + 1 :]
    port = int(options[options.index("--port") + 1])
    server = ThreadingHTTPServer((options[options.index("--host") + 1], port), Replay)
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.serve_forever()


if __name__ == "__main__":
    main()
