# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the plugin takes from tmt, by today's names, of every tmt since 1.37, the first that knows
iommu.  Nothing else knows that versions differ."""
import contextlib
import threading
from typing import Any

import tmt.log
from tmt.utils import Path, ProvisionError

try:
    from tmt.container import container, field
except ImportError:  # before 1.43
    from dataclasses import dataclass as container

    from tmt.utils import field
try:
    from tmt.utils.signals import INTERRUPT_PENDING, Interrupted
except ImportError:  # before 1.43, where an interrupt ends tmt at once
    INTERRUPT_PENDING, Interrupted = threading.Event(), KeyboardInterrupt
try:
    import tmt.guest as guests
except ImportError:  # before 1.68
    import tmt.steps.provision as guests

GuestSshData = guests.GuestSshData

if hasattr(guests.Guest, 'setup_logs'):
    GuestLog, GuestSsh = guests.GuestLog, guests.GuestSsh
else:  # before 1.64

    class GuestLog:
        def __init__(self, name: str, guest: 'GuestSsh') -> None:
            self.guest = guest
            self.filepath = guest.guest_workdir / 'logs' / name
            self.filepath.parent.mkdir(parents=True, exist_ok=True)

        def staging_file(self, path: Path, logger: tmt.log.Logger) -> Any:
            return contextlib.nullcontext(path)

    class GuestSsh(guests.GuestSsh):
        """Its logs are read when the guest ends."""

        def load(self, data: GuestSshData) -> None:
            super().load(data)
            self.user = self.user or 'root'
            self._logs: list[GuestLog] = []

        @property
        def guest_workdir(self) -> Path:
            return self.workdir

        def collect_log(self, log: GuestLog) -> None:
            self._logs.append(log)

        def setup_logs(self, *, logger: tmt.log.Logger) -> None:
            pass

        def update_logs(self, *, logger: tmt.log.Logger) -> None:
            for log in self._logs:
                log.update(logger=logger)

        def stop(self) -> None:
            super().stop()
            self.update_logs(logger=self._logger)

        def assert_reachable(self) -> None:
            if not self.reconnect():
                raise ProvisionError(f"Guest '{self.multihost_name}' cannot be reached.")


def with_guest(plugin: type) -> type:
    """The class of a plugin, which has the method that tmt asks for its guest."""
    if not isinstance(plugin.guest, property):  # before 1.43
        plugin.guest = lambda self: self._guest
    return plugin


def is_hard(words: dict[str, Any]) -> bool:
    """Of a reboot: before 1.63, "hard" says it."""
    return words.get('hard', False) or getattr(words.get('mode'), 'name', '') == 'HARD'
