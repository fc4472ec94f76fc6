# SPDX-License-Identifier: LGPL-2.1-or-later
"""provision: {how: viommu}: what tmt asks of a plugin.  Decides nothing."""
import re
from typing import Any, Optional

import tmt.log
import tmt.steps
import tmt.steps.provision
import tmt.utils
from tmt.utils import Command, ProvisionError

from tmt_viommu import versions
from tmt_viommu.machine import EXISTS, Failed, Viommuctl, Wish, address
from tmt_viommu.versions import container, field

CONSOLE_LOG = 'console.txt'
KEY = 'id_ed25519'  # made for one guest
BOOT_LEASE = 300  # tmt extends it while the guest boots; a killed tmt does not


@container
class ViommuGuestData(versions.GuestSshData):
    image: Optional[str] = field(
        default=None,
        option=('-i', '--image'),
        metavar='NAME',
        help='Name of an image of the site, as "viommuctl images" lists them.',
    )
    arch: Optional[str] = field(
        default=None,
        option=('-a', '--arch'),
        metavar='ARCH',
        help='Architecture, x86_64 or aarch64; that of the image by default.',
    )
    connection: Optional[str] = field(
        default=None,
        option=('-c', '--connection'),
        metavar='session|system',
        help="Use the viommud of your session, or of the system; by default your session's if it runs.",
    )
    boot_timeout: int = field(
        default=600,
        option='--boot-timeout',
        metavar='SECONDS',
        help='How long the guest may take until ssh logs in, 600 s by default.',
        normalize=tmt.utils.normalize_int,
    )
    lease: int = field(
        default=86400,
        option='--lease',
        metavar='SECONDS',
        help='viommud removes the guest after this time even if tmt is killed, a day by default.',
        normalize=tmt.utils.normalize_int,
    )
    machine: Optional[str] = field(default=None, internal=True)


@container
class ProvisionViommuData(ViommuGuestData, tmt.steps.provision.ProvisionStepData):
    pass


class ConsoleLog(versions.GuestLog):
    guest: 'GuestViommu'

    def update(self, *, logger: tmt.log.Logger) -> None:
        if self.guest.machine:
            with self.staging_file(self.filepath, logger) as path:
                path.write_bytes(self.guest.viommuctl.console(self.guest.machine))


class GuestViommu(versions.GuestSsh):
    _data_class = ViommuGuestData

    image: str
    arch: Optional[str]
    connection: Optional[str]
    boot_timeout: int
    lease: int
    machine: Optional[str]

    @property
    def viommuctl(self) -> Viommuctl:
        return Viommuctl(self.connection)

    @property
    def wish(self) -> Wish:
        return Wish(self.image, self.hardware.to_spec() if self.hardware else None, self.arch)

    def _fail(self, failed: Failed) -> ProvisionError:
        hardware = f" with hardware '{self.wish.text()}'" if self.hardware else ''
        return ProvisionError(f"viommud cannot provision a guest{hardware}: {failed}")

    def _prepare_key(self) -> str:
        """The public key; a new pair where the plan has none."""
        if not self.key:
            self.key = [self.guest_workdir / KEY]
            self._run_guest_command(
                Command('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', self.key[0]), silent=True
            )
        output = self._run_guest_command(Command('ssh-keygen', '-y', '-f', self.key[0]), silent=True)
        return (output.stdout or '').strip()

    def _go_on(self) -> None:
        if versions.INTERRUPT_PENDING.is_set():
            raise versions.Interrupted
        self.viommuctl.extend(self.machine or '', min(self.lease, BOOT_LEASE))

    def _await_ssh(self) -> None:
        self.viommuctl.await_ssh(
            self.machine or '', self.user, str(self.key[0]), self.boot_timeout, self._go_on
        )

    def start(self) -> None:
        if self.is_dry_run:
            self._show_plan()
            return
        name = re.sub('[^a-z0-9]+', '-', self._tmt_name().lower()).strip('-')
        key = self._prepare_key()
        try:
            # Before the launch, which can be interrupted.
            self.machine = name
            properties = self.viommuctl.launch(
                self.wish, name, self.user, key, min(self.lease, BOOT_LEASE)
            )
            self.primary_address, self.port = address(properties)
            self.topology_address = self.primary_address
            self._show(properties)
            self._collect_console()
            self.info('progress', 'booting...', 'cyan')
            self._await_ssh()
            self.viommuctl.extend(name, self.lease)
        except Failed as failed:
            if failed.status == EXISTS:
                self.machine = None
            raise self._fail(failed) from failed
        self.assert_reachable()

    def _collect_console(self) -> None:
        self.collect_log(ConsoleLog(CONSOLE_LOG, self))
        self.setup_logs(logger=self._logger)

    def _show_plan(self) -> None:
        try:
            plan = self.viommuctl.plan(self.wish)
        except Failed as failed:
            raise self._fail(failed) from failed
        self.info('iommu', plan['iommu']['model'] or 'none', 'green')
        for warning in plan['warnings']:
            self.warn(warning)

    def _show(self, properties: dict[str, Any]) -> None:
        self.info('machine', properties['Name'], 'green')
        self.info('iommu', properties['IommuModel'] or 'none', 'green')
        self.verbose('primary address', self.primary_address, 'green')
        self.verbose('port', self.port, 'green')
        for warning in properties['Warnings']:
            self.warn(warning)

    def wake(self) -> None:
        super().wake()
        if not self.machine:
            return
        # tmt saves which guests there are, and not their logs.
        self._collect_console()
        try:
            self.viommuctl.extend(self.machine, self.lease)
        except Failed as failed:
            self.warn(f"The lease of '{self.machine}' cannot be extended: {failed}")

    def reboot(self, **words: Any) -> bool:
        if not versions.is_hard(words):
            return super().reboot(**words)

        # tmt's own deadline begins when an emulated guest is up again.
        try:
            self.viommuctl.reset(self.machine or '')
            self._await_ssh()
        except Failed as failed:
            raise ProvisionError(f"Guest '{self.multihost_name}' was not reset: {failed}") from failed
        # Its connection is of the guest before.
        self._cleanup_ssh_master_process()
        return self.reconnect()

    def remove(self) -> None:
        if not self.machine:
            return
        try:
            if self.viommuctl.remove(self.machine):
                self.info('guest', 'removed', 'green')
        except Failed as failed:
            raise ProvisionError(f"Guest '{self.multihost_name}' was not removed: {failed}") from failed
        for path in (self.guest_workdir / KEY, self.guest_workdir / f'{KEY}.pub'):
            path.unlink(missing_ok=True)


@tmt.steps.provides_method('viommu')
@versions.with_guest
class ProvisionViommu(tmt.steps.provision.ProvisionPlugin[ProvisionViommuData]):
    """
    Provision a guest whose IOMMU works, through viommud.

    viommud decides by facts whether this host and the guest's image can
    have the required IOMMU, and refuses with all reasons if not:

    .. code-block:: yaml

        provision:
            how: viommu
            image: debian13
            hardware:
                iommu:
                    is-supported: true

    A hardware requirement that cannot be satisfied fails the step; it is
    never ignored. Of alternatives (``or``) the first possible one is taken.
    """

    _data_class = ProvisionViommuData
    _guest_class = GuestViommu

    _thread_safe = True

    _guest: Optional[GuestViommu] = None

    def go(self, *, logger: Optional[tmt.log.Logger] = None) -> None:
        super().go(logger=logger)
        data = ViommuGuestData.from_plugin(self)
        data.show(verbose=self.verbosity_level, logger=self._logger)
        if not data.image:
            raise tmt.utils.SpecificationError("Provide the name of an image; 'viommuctl images' lists them.")
        guest = GuestViommu(logger=self._logger, data=data, name=self.name, parent=self.step)
        self._guest = guest
        try:
            guest.start()
            guest.setup()
        except BaseException:
            # tmt removes only guests that were provisioned.
            try:
                guest.stop()
                guest.update_logs(logger=self._logger)
            finally:
                guest.remove()
            raise
