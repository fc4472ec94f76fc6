#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""driver: the requests of Artemis' driver "rest", as its source makes them
(server/src/tft/artemis/drivers/rest.py, commit a462d03), and requests that it never makes.
Prints the answer; the exit status is 0, or 1 where raise_for_status() of the driver would raise.
The guest of Artemis is GUESTNAME of the environment.
  driver URL can-acquire|acquire|update|release|reboot|console|metrics|raw [WORD...]"""
import base64
import http.client
import json
import os
import sys
import urllib.parse


class Driver:
    def __init__(self, url):
        self.url = urllib.parse.urlsplit(url)
        self.guestname = {"Artemis-guestname": os.environ.get("GUESTNAME", "5f4a2d0e-9a4b-4c1e-8a57-3f1f6a4b7c11")}
        self.headers = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "Connection": "keep-alive"}
        if self.url.password:
            # As requests does it.
            coded = base64.b64encode(f"{self.url.username}:{urllib.parse.unquote(self.url.password)}".encode()).decode()
            self.headers["Authorization"] = f"Basic {coded}"

    def ask(self, method, path, body=None, of_guest=True):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
        headers = {**self.headers, **(self.guestname if of_guest else {}), **({"Content-Type": "application/json"} if body else {})}
        connection.request(method, path, body=json.dumps(body) if body else None, headers=headers)
        response = connection.getresponse()
        print(response.read().decode())
        print(f"HTTP {response.status}", file=sys.stderr)
        return response.status >= 400

    def can_acquire(self, environment):
        coded = base64.b64encode(json.dumps(json.loads(environment)).encode())
        return self.ask("GET", f"/guests?{urllib.parse.urlencode({'environment': coded})}")

    def acquire(self, environment):
        return self.ask("POST", "/guests", {"environment": json.loads(environment)})

    def update(self, guest, environment="{}"):
        return self.ask("GET", f"/guests/{guest}", {"environment": json.loads(environment)})

    def release(self, guest):
        return self.ask("DELETE", f"/guests/{guest}")

    def reboot(self, guest):
        return self.ask("POST", f"/guests/{guest}/reboot")

    def console(self, guest):
        return self.ask("GET", f"/getlog/{guest}/console", of_guest=False)

    def metrics(self):
        return self.ask("GET", "/pool_resources_metrics", of_guest=False)

    def raw(self, text):
        """The bytes of @text, with Python's escapes; PASSWORD in it stands for the header."""
        text = text.replace("PASSWORD", f"Authorization: {self.headers.get('Authorization')}\\r\\n")
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
        connection.connect()
        connection.sock.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        print(answer.read().decode())
        print(f"HTTP {answer.status}", file=sys.stderr)
        return answer.status >= 400


if __name__ == "__main__":
    sys.exit(getattr(Driver(sys.argv[1]), sys.argv[2].replace("-", "_"))(*sys.argv[3:]))
