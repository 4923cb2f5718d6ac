"""Serves live predictions over HTTP: a virtual board classifies a data set, and a page shows what it says.

    python examples/http_predictions.py model.tflite test/ --port 8000 --fps 10

The page is on /. On /predictions are server-sent events, each a line of JSON as `edgekit monitor --json`
prints it; every client gets a run of its own, one client at a time. Only this machine can connect.
"""

import argparse
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import edgekit
from edgekit.live.run import run
from edgekit.live.source import open_source

PAGE = b"""<!doctype html><title>edgekit</title><h1 id="best">waiting for the board</h1><pre id="said"></pre>
<script>
  const source = new EventSource("/predictions");
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (event.label) best.textContent = event.label;
    said.textContent = JSON.stringify(event, null, 1);
    if (["summary", "error"].includes(event.type)) source.close();
  };
</script>
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("--board", default="host")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--fps", type=float)
    options = parser.parse_args()
    model, board = edgekit.load_model(options.model), edgekit.load_board(options.board)
    image = edgekit.build_image(model, board)
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self.begin("text/html")
                self.wfile.write(PAGE)
            elif self.path != "/predictions":
                self.send_error(404)
            else:
                self.begin("text/event-stream")
                with turn, suppress(ConnectionError):  # of a client that has left
                    self.stream()

        def begin(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.end_headers()

        def stream(self) -> None:
            try:
                frames = open_source(options.source, model.contract)
                with edgekit.open_device(board, model=model, image=image) as device:
                    for event in run(device, model.contract, frames, fps=options.fps):
                        self.send(event.to_dict())
            except edgekit.EdgekitError as error:
                self.send({"type": "error", "message": error.message, "hint": error.hint})

        def send(self, fields: dict[str, object]) -> None:
            self.wfile.write(f"data: {json.dumps(fields)}\n\n".encode())

    with ThreadingHTTPServer(("127.0.0.1", options.port), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
