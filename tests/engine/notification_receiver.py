"""A receiver of notifications on loopback, and the requests that configure them."""

import http.client
import http.server
import queue
import threading

import pytest

from ci_notebook.model.api.queues import QueueResponse
from ci_notebook.wire.xml import loads


class Receiver:
    """Somebody on loopback who keeps what comes, and answers with one status after the other, 200 at last."""

    def __init__(self, *statuses):
        self.got = queue.Queue()
        answers = list(statuses)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(answers.pop(0) if answers else 200)
                self.end_headers()
                receiver.got.put((self.path, self.headers["Content-Type"], body))

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def next(self, timeout_s=20):
        return self.got.get(timeout=timeout_s)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    items = []

    def start(*statuses):
        items.append(Receiver(*statuses))
        return items[-1]

    yield start
    for one in items:
        one.close()


@pytest.fixture
def caller(call_in_process, clip):
    call_in_process.put("in.mp4", clip.read_bytes())
    call_in_process.put("text.mp4", b"no video")
    return call_in_process


def set_queue(call, notify):
    queue_id = loads(QueueResponse, call("GET", "/queue").content).queue_list[0].queue_id
    body = (
        f"<Request><Name>queue-1</Name><State>Active</State><NotifyConfig>{notify}</NotifyConfig></Request>"
    ).encode()
    return call("PUT", f"/queue/{queue_id}", body=body)


def notify_to(address, more=""):
    return f"<State>On</State><Event>TaskFinish</Event><Type>Url</Type><Url>{address}</Url>{more}"
