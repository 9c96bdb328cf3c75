#!/usr/bin/env python3
"""A server on loopback for the tests of stories: good and bad answers of a chat API, and of one for pictures.

    server.py LOG

Prints its port, then serves until it is ended. The first part of a path chooses the behaviour: /good/v1/chat/completions.
Each request becomes a line of JSON in LOG: path, headers, body.
"""

import json
import pathlib
import struct
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COUNTS = {}
LOCK = threading.Lock()


def png(red):
    """16 x 16 pixels of one colour."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([red, 90, 40]) * 16 for _ in range(16))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def beats(count, word="clip"):
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    return [{"state": f"a cat on the moon, {word} {names[i % 10]} {i}", "motion": f"it jumps {names[i % 10]} times"}
            for i in range(count)]


def completion(content):
    return {"id": "x", "object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, body, status=200, kind="application/json", headers=(), length=None):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def chat(self, wanted, turns, mode, number):
        """The content of the model's answer."""
        story = beats(wanted)
        if mode == "count":
            story = story[:-1]
        elif mode == "repair" and turns == 1:
            story = story + beats(1, "more")
        elif mode == "repeats":
            story = [story[0]] * wanted
        elif mode == "controls":
            story[0]["state"] = "a cat\u202e on \u0007 the moon"
        elif mode == "long":
            story[0]["state"] = "very " * 400 + "long"
        elif mode == "schema":
            return json.dumps({"scenes": [b["state"] for b in story]})
        elif mode == "types":
            return json.dumps({"beats": [{"state": 1, "motion": None}] * wanted})
        elif mode == "prose":
            return "Once upon a time there was a cat."
        elif mode == "cut_off":
            return json.dumps({"beats": story})[:-20]
        elif mode == "fenced":
            return "Here it is:\n```json\n" + json.dumps({"beats": story}) + "\n```\n"
        elif mode == "deep":
            return "[" * 200_000
        elif mode == "other":  # another story each time
            story[0]["state"] += f", telling {number}"
        return json.dumps({"beats": story})

    def answer(self, body):
        mode = self.path.split("/")[1]
        with LOCK:
            COUNTS[self.path] = COUNTS.get(self.path, 0) + 1
            number = COUNTS[self.path]
            with pathlib.Path(sys.argv[1]).open("a", encoding="utf-8") as log:
                log.write(json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}) + "\n")
        if mode == "slow":
            time.sleep(5)
        elif mode == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.1)
            return None
        elif mode == "broken":
            self.close_connection = True
            return self.send("{\"choices\": [", length=1000)
        elif mode == "huge":
            return self.send(b" " * (8 << 20))
        elif mode == "endless":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            for _ in range(2000):
                self.wfile.write(b"x" * 65536)
            return None
        elif mode == "page":
            return self.send("<html><body>Welcome</body></html>", kind="text/html")
        elif mode == "empty":
            return self.send("{}")
        elif mode == "file":
            return self.send("", 302, headers=[("Location", "file:///etc/passwd")])
        elif mode == "away":
            return self.send("", 302, headers=[("Location", self.path.replace("/away/", "/good/"))])
        elif mode == "circle":
            return self.send("", 302, headers=[("Location", self.path)])
        elif mode == "denied":
            return self.send(json.dumps({"error": "bad key " + self.headers.get("Authorization", "")}), 401)
        elif mode == "wrong":
            return self.send(json.dumps({"error": "bad request " + self.headers.get("Authorization", "")}), 400)
        elif mode == "busy" and number <= 2:
            return self.send("busy", 503, headers=[("Retry-After", "0")])
        elif mode == "down":
            return self.send("down", 500)
        if self.path.endswith("/models"):
            return self.send(json.dumps({"object": "list", "data": [{"id": "tiny-vl", "object": "model"}]}))
        if "/images/" in self.path:
            return self.pictures(mode)
        if "/pictures/" in self.path:
            kind = self.path.rsplit("/", 1)[1]
            return self.send({"good.png": png(200), "next.png": png(20)}.get(kind, b"no picture"), kind="image/png")
        asked = json.loads(body)
        wanted = asked["response_format"]["json_schema"]["schema"]["properties"]["beats"]["minItems"] \
            if "json_schema" in asked.get("response_format", {}) else 3
        return self.send(json.dumps(completion(self.chat(wanted, len(asked["messages"]), mode, number))))

    def pictures(self, mode):
        here = f"http://127.0.0.1:{self.server.server_address[1]}/x/pictures/"
        entry = {"title": "A cat\u202e asleep", "creator": "Ann", "license": "by", "license_version": "4.0",
                 "license_url": "https://creativecommons.org/licenses/by/4.0/", "foreign_landing_url": "https://e.org/1",
                 "attribution": "\"A cat asleep\" by Ann is licensed under CC BY 4.0."}
        urls = {"good": ["good.png", "next.png"], "lies": ["text.png", "good.png"]}.get(mode, [])
        results = [{**entry, "url": "file:///etc/passwd"}, {**entry, "url": here + "next.png", "license": "by-nd"}, "x", None]
        results += [{**entry, "url": here + name} for name in urls]
        return self.send(json.dumps({"result_count": len(results), "results": results}))

    def respond(self):
        size = int(self.headers.get("Content-Length") or 0)
        try:
            self.answer(self.rfile.read(size).decode())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = respond
    do_POST = respond


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
