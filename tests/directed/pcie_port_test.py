"""Runs the guest that uses root ports, and adds and removes devices when it asks.

  pcie_port_test.py EMULATOR MODULES WAY PROGRAM

WAY is native or interp, or insn, where instructions make the time; with peer QEMU runs it, from WEFT_PEER_DIR (else the test is
skipped).
"""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import qmp  # noqa: E402

SKIP = 77
ROUNDS = 3  # of the guest
ACCELS = {"native": "tcg,translate-after=0,backend=native", "interp": "tcg,translate-after=0,backend=interp",
          "insn": "tcg,thread=single,clock=insn"}


class Qmp:
    def __init__(self, path):
        self.line = qmp.Line(path)
        self.events = []
        self.ask("qmp_capabilities")

    def ask(self, name, **arguments):
        self.line.send(name, arguments)
        while True:
            answer = self.take()
            if answer is not None:
                return answer

    def take(self):
        message = self.line.take()
        if "event" in message:
            self.events.append(message)
            return None
        return message

    def wait_for(self, name, member, value):
        """Ends with the event whose data say so."""
        while not any(event["event"] == name and event["data"].get(member) == value for event in self.events):
            assert self.take() is None
        self.events.clear()


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError("%s: %s" % (what, got))


def serve(process, qmp, peer):
    """Does what the guest asks for; gives back what it printed."""
    output, number = "", 0
    for line in process.stdout:
        line = line.decode(errors="replace").strip()
        output += line + "\n"
        if line == "ADD":
            number += 1
            expect("added", qmp.ask("device_add", driver="virtio-rng-pci", bus="p2", id="r2", addr="0x0"), {"return": {}})
            # The place is taken; so is the name, but QEMU forgets the device's then.
            for device in ({"id": "r3"}, {"bus": "p1", "id": "r3"}, *([] if peer else [{"id": "r2"}])):
                answer = qmp.ask("device_add", **{"driver": "virtio-rng-pci", "bus": "p2", "addr": "0x0", **device})
                expect("added again", answer.get("error", {}).get("class"), "GenericError")
        elif line == "REMOVE":
            expect("removed", qmp.ask("device_del", id="r2"), {"return": {}})
            # After the last one the guest ends at once, and QEMU with it, told of or not.
            try:
                qmp.wait_for("DEVICE_DELETED", "device", "r2")
            except ConnectionError:
                if not peer or number < ROUNDS:
                    raise
            if number < ROUNDS:
                expect("removed again", qmp.ask("device_del", id="r2")["error"]["class"], "DeviceNotFound")
    return output, number


def main():
    emulator, modules, way, program = sys.argv[1:]
    command = [emulator, "-module-dir", modules, "-accel", ACCELS.get(way, "")]
    if way == "peer":
        if not os.environ.get("WEFT_PEER_DIR"):
            print("skipped: WEFT_PEER_DIR is not set (scripts/fetch-peer gets QEMU)")
            return SKIP
        command = [os.path.join(os.environ["WEFT_PEER_DIR"], "bin/qemu-system-riscv64")]
    with tempfile.TemporaryDirectory() as folder:
        line = pathlib.Path(folder) / "qmp"
        command += ["-display", "none", "-nodefaults", "-serial", "stdio", "-M", "virt", "-bios", "none", "-m", "128M", "-S",
                    "-kernel", program, "-qmp", "unix:%s,server=on,wait=off" % line,
                    "-device", '{"driver":"pcie-root-port","id":"p1","bus":"pcie.0","addr":"0x1","port":1,"chassis":1,"slot":5}',
                    "-device", '{"driver":"pcie-root-port","id":"p2","bus":"pcie.0","addr":"0x2.0x0","port":2,"chassis":2,"slot":6}',
                    "-device", '{"driver":"virtio-rng-pci","id":"r1","bus":"p1","addr":"0x0"}']
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            while True:
                try:
                    qmp = Qmp(line)
                    break
                except (FileNotFoundError, ConnectionRefusedError):
                    if process.poll() is not None:
                        break
            if process.poll() is None:
                qmp.ask("cont")
                output, number = serve(process, qmp, way == "peer")
            else:
                output, number = process.stdout.read().decode(errors="replace"), 0
            status = process.wait()
        finally:
            process.kill()
            process.wait()
    passed = status == 0 and "PASS " in output and number == ROUNDS
    if not passed:
        print(output)
        print("exit status", status, "devices added", number)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
