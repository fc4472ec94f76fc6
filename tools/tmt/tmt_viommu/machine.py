# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine of viommud, through viommuctl, which also translates the hardware requirement.
Does not know tmt."""
import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

RETRY_SECONDS = 2
TURN_SECONDS = 15
SSH_FAILED = 255  # ssh's own status: the server may answer before the guest has the key
# Of viommuctl.
EXISTS = 5
NOT_FOUND = 6
TIMED_OUT = 75


class Failed(Exception):
    """viommuctl's error: its exit status, its message, and the reasons for each model."""

    def __init__(self, status: int, message: str, reasons: list[dict[str, Any]]) -> None:
        super().__init__("\n".join([message, *(f"  {reason.get('model') or '-'}: {reason['text']}" for reason in reasons)]))
        self.status = status


@dataclass
class Wish:
    """What the guest is to be."""

    image: str
    hardware: Any  # of tmt, as in a plan; None: none
    arch: Optional[str] = None

    def words(self) -> list[str]:
        return ["--tmt=-", f"image={self.image}"]

    def text(self) -> str:
        """Both must hold: a word of viommuctl would override the requirement."""
        wanted = [*([self.hardware] if self.hardware else []), *([{"arch": self.arch}] if self.arch else [])]
        return json.dumps({"and": wanted} if len(wanted) > 1 else wanted[0] if wanted else {}, default=str)


class Viommuctl:
    """connection: "session", "system", or None: the one that viommud runs on."""

    def __init__(self, connection: Optional[str]) -> None:
        bus = {"session": ["--user"], "system": ["--system"], None: []}
        self.command = ["viommuctl", *bus[connection]]

    def _run(self, *words: str, text: str = "") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*self.command, *words], input=text.encode(), capture_output=True, check=False)

    def _json(self, *words: str, text: str = "") -> Any:
        done = self._run("--json", *words, text=text)
        try:
            answer = json.loads(done.stdout or b"null")
        except ValueError:
            answer = None
        if done.returncode == 0:
            return answer
        error = answer.get("error", {}) if isinstance(answer, dict) else {}
        message = error.get("message") or done.stderr.decode(errors="replace").strip()
        raise Failed(done.returncode, message, error.get("reasons", []))

    def plan(self, wish: Wish) -> dict[str, Any]:
        """What launch() would do."""
        return self._json("plan", *wish.words(), text=wish.text())

    def launch(self, wish: Wish, name: str, user: str, key: str, lease: int) -> dict[str, Any]:
        """The properties of the machine, which runs, and takes the public key."""
        return self._json("launch", *wish.words(), f"--name={name}", f"--lease={lease}", "--wait=started",
                          f"seed.user={user}", f"seed.ssh-keys={key}",
                          "networks.0.type=user", "networks.0.forward=22", text=wish.text())

    def await_ssh(self, name: str, user: str, key: str, seconds: float, each_turn: Callable[[], None]) -> None:
        """Returns when the user can log in.  A port that is forwarded accepts connections from the
        start, so tmt must not try it before.  each_turn: called every few seconds; may raise."""
        end = time.monotonic() + seconds
        while True:
            each_turn()
            turn = max(1, min(TURN_SECONDS, int(end - time.monotonic())))
            done = self._run("ssh", name, f"--login={user}", f"--key={key}", f"--timeout={turn}", "--", "true")
            if done.returncode == 0:
                return
            if done.returncode not in (SSH_FAILED, TIMED_OUT) or time.monotonic() >= end:
                raise Failed(done.returncode, done.stderr.decode(errors="replace").strip(), [])
            if done.returncode == SSH_FAILED:
                time.sleep(RETRY_SECONDS)

    def console(self, name: str) -> bytes:
        """What the guest has printed, also of a former machine."""
        done = self._run("console", "--log", "--raw", name)
        if done.returncode != 0:
            raise Failed(done.returncode, done.stderr.decode(errors="replace").strip(), [])
        return done.stdout

    def reset(self, name: str) -> None:
        self._json("reset", name)

    def extend(self, name: str, seconds: int) -> None:
        self._json("extend", name, str(seconds))

    def remove(self, name: str) -> bool:
        """False: it was gone."""
        try:
            self._json("kill", name)
        except Failed as failed:
            if failed.status != NOT_FOUND:
                raise
            return False
        return True


def address(properties: dict[str, Any]) -> tuple[str, int]:
    """Where the guest's port 22 is on the host."""
    return next((host, port) for guest, host, port in properties["Forwards"] if guest == 22)
