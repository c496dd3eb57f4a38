"""A receiver of Petstore's callbacks, in Python 3.9 or later; nothing has to be installed.

    CALLBACK_SECRET=whsec_cGV0c3RvcmUtZGV2ZWxvcG1lbnQtc2VjcmV0 python3 receiver.py 3000
"""
import base64
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["CALLBACK_SECRET"]
KEY = base64.b64decode(SECRET[6:]) if SECRET.startswith("whsec_") else SECRET.encode()
DATABASE = os.environ.get("DATABASE", "orders.db")
MAX_BODY = 1 << 20
TOLERANCE = 300  # seconds


def genuine(headers, body):
    """Reports whether body was signed with our secret lately (Standard Webhooks)."""
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(time.time() - int(stamp)) > TOLERANCE:
        return False
    signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode("latin-1") + body
    want = b"v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "").encode("latin-1").split(b" ")
    return any(hmac.compare_digest(want, signature) for signature in given)


def process(update):
    """Does the work, and remembers the callback in the same transaction: both are done, or neither is."""
    database = sqlite3.connect(DATABASE, timeout=60)
    with database:
        database.execute("BEGIN IMMEDIATE")  # one at a time
        new = database.execute("INSERT OR IGNORE INTO processed VALUES (?)", (update["callback_id"],)).rowcount
        if not new:
            return "Already processed"
        # What comes late changes nothing.
        changed = database.execute(
            "INSERT INTO orders VALUES (:order_id, :sequence, :status) ON CONFLICT (order_id) DO UPDATE"
            " SET sequence = excluded.sequence, status = excluded.status WHERE excluded.sequence > orders.sequence",
            update,
        ).rowcount
        if changed:
            print(update["order_id"], update["status"], flush=True)
    return "OK"


class Callbacks(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds in which nothing comes

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return self.answer(413 if length.isdecimal() else 411, "Body too long, or of unknown length")
        body = self.rfile.read(int(length))
        if not genuine(self.headers, body):
            return self.answer(401, "Invalid signature")
        try:
            update = json.loads(body)
        except (ValueError, RecursionError):
            return self.answer(400, "Invalid body")
        if not isinstance(update, dict):
            return self.answer(400, "Invalid body")
        news = {
            "callback_id": update.get("callback_id") or self.headers["webhook-id"],
            "order_id": update.get("order_id", ""),
            "sequence": update.get("sequence", 0),
            "status": update.get("status", ""),
        }
        if not all(isinstance(news[name], kind) for name, kind in WANTED.items()):
            return self.answer(400, "Invalid body")
        return self.answer(200, process(news))

    def answer(self, status, text):
        self.close_connection = status in (411, 413)  # the body is left unread
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


WANTED = {"callback_id": str, "order_id": str, "sequence": int, "status": str}


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if __name__ == "__main__":
    with sqlite3.connect(DATABASE) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS processed (callback_id TEXT PRIMARY KEY)")
        connection.execute("CREATE TABLE IF NOT EXISTS orders (order_id TEXT PRIMARY KEY, sequence INTEGER, status TEXT)")
    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 3000), Callbacks)
    print(f"Receiving callbacks at http://127.0.0.1:{server.server_port}/callbacks/order-status", flush=True)
    server.serve_forever()
