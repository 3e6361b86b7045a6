#!/usr/bin/env python3
"""Compares the answers of weft's QMP with those of QEMU: qmp_peer_test.py WEFT.

Each command that both have is sent to both, for the same machine. What weft answers must have the shape of QEMU's answer: no member
that QEMU's lacks, the same types, and the members that QEMU's schema says are always there. Skipped (77) where QEMU is not there.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

SKIP = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]

# Members of QEMU's schema that this machine does not show there: it has no default board.
ALSO_QEMUS = {"is-default"}
CASES = [
    ("query-version", {}), ("query-status", {}), ("query-name", {}), ("query-uuid", {}), ("query-kvm", {}),
    ("query-accelerators", {}), ("query-target", {}), ("query-machines", {}), ("query-current-machine", {}),
    ("query-cpus-fast", {}), ("query-cpu-definitions", {}), ("query-memory-size-summary", {}), ("query-memdev", {}),
    ("query-memory-devices", {}), ("query-chardev", {}), ("query-block", {}), ("query-named-block-nodes", {}),
    ("query-block-jobs", {}), ("query-jobs", {}), ("query-iothreads", {}), ("query-mice", {}),
    ("query-balloon", {}), ("qom-list-types", {"implements": "cpu"}), ("qom-list", {"path": "/machine"}),
    ("qom-get", {"path": "/machine", "property": "type"}), ("device-list-properties", {"typename": "virtio-blk-device"}),
    ("qom-list-properties", {"typename": "virtio-rng-device"}), ("qom-list-properties", {"typename": "no-such-type"}),
    ("qom-list-types", {"implements": "accel"}), ("query-tpm-models", {}), ("query-tpm-types", {}),
    ("query-migrate-capabilities", {}), ("device-list-properties", {"typename": "no-such-type"}), ("query-commands", {}),
    ("query-command-line-options", {"option": "chardev"}), ("query-command-line-options", {"option": "no-such"}),
    ("x-accel-stats", {}), ("inject-nmi", {}), ("system_wakeup", {}), ("no-such-command", {}),
    ("query-status", {"no-such": 1}), ("human-monitor-command", {}), ("human-monitor-command", {"command-line": 3}),
    ("human-monitor-command", {"command-line": "info status"}), ("device_add", {"driver": "virtio-blk-device", "drive": "x"}),
    ("query-fdsets", {}), ("getfd", {"fdname": "x"}), ("closefd", {"fdname": "x"}), ("add-fd", {}), ("remove-fd", {"fdset-id": 3}),
    ("query-migrate-parameters", {}), ("migrate-set-parameters", {"max-bandwidth": 1048576}),
    ("memsave", {"val": 0x80000000, "size": 16, "filename": "FILE"}),
    ("pmemsave", {"val": 0x80000000, "size": 16, "filename": "FILE"}),
    ("pmemsave", {"val": 0x80000000, "size": 16, "filename": "/no/such/folder"}),
    ("stop", {}), ("cont", {}), ("query-status", {}), ("system_reset", {}), ("system_powerdown", {}), ("stop", {}),
    ("quit", {}),
]
# Texts on which scripts depend are compared themselves.
SAME = {"query-status", "query-name", "query-uuid", "query-kvm", "query-target", "query-current-machine",
        "query-memory-size-summary", "qom-get"}
SAME_LINES = {"info status"}


class Talk:
    def __init__(self, program, folder):
        disk = os.path.join(folder, "disk")
        with open(disk, "wb") as file:
            file.truncate(1 << 20)
        command = [program, "-M", "virt", "-smp", "2", "-m", "128M", "-bios", "none", "-nographic", "-nodefaults", "-serial", "null",
                   "-monitor", "none", "-S", "-name", "box", "-uuid", "12345678-1234-1234-1234-123456789abc",
                   "-drive", "if=none,id=d0,format=raw,readonly=on,file=" + disk, "-device", "virtio-blk-device,drive=d0",
                   "-qmp", "stdio"]
        environment = dict(os.environ)
        self.folder = folder
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.greeting = json.loads(self.process.stdout.readline())
        self.events = []
        self.ask("qmp_capabilities", {})

    def ask(self, name, arguments):
        """The answer, and the events that came before it."""
        arguments = {key: self.folder + "/memory" if value == "FILE" else value for key, value in arguments.items()}
        self.process.stdin.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError("%s: no answer" % name)
            answer = json.loads(line)
            if "event" not in answer:
                return answer
            self.events.append(answer)

    def close(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))
        self.process.stdin.close()
        return self.process.wait(30)


def shape_faults(ours, theirs, place):
    """Where ours has what theirs does not: members, types. A list is compared with all that theirs holds."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in ALSO_QEMUS:
                continue
            if key not in theirs:
                yield "%s: member %s is not QEMU's" % (place, key)
            else:
                yield from shape_faults(value, theirs[key], place + "." + key)
    elif isinstance(ours, list) and isinstance(theirs, list):
        if ours and theirs and all(isinstance(item, dict) for item in theirs):
            # What a member is may differ from element to element: a property's default.
            found = {}
            for item in theirs:
                for key, value in item.items():
                    found.setdefault(key, []).append({key: value})
            for item in ours:
                for key, value in item.items():
                    faults = [list(shape_faults({key: value}, one, place + "[]")) for one in found.get(key, [{}])]
                    if all(faults):
                        yield from faults[0]
    elif type(ours) is not type(theirs) and not {type(ours), type(theirs)} <= {int, float}:
        yield "%s: %s, QEMU's is %s" % (place, type(ours).__name__, type(theirs).__name__)


class Schema:
    """What QEMU says of itself."""

    def __init__(self, entities):
        self.entities = {entity["name"]: entity for entity in entities}

    def missing(self, value, name, place):
        """Members that must be there."""
        entity = self.entities[name]
        if entity["meta-type"] == "array" and isinstance(value, list):
            for item in value:
                yield from self.missing(item, entity["element-type"], place + "[]")
        elif entity["meta-type"] == "object" and isinstance(value, dict):
            for member in entity["members"]:
                if member["name"] in value:
                    yield from self.missing(value[member["name"]], member["type"], place + "." + member["name"])
                elif "default" not in member:
                    yield "%s: member %s is missing" % (place, member["name"])


def main():
    weft = sys.argv[1]
    peer_dir = os.environ.get("WEFT_PEER_DIR")
    peer = pathlib.Path(peer_dir or ROOT / "build/cache/peer") / "bin/qemu-system-riscv64"
    if not peer.exists():
        print("skipped: QEMU is not there (scripts/fetch-peer)")
        return SKIP
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        ours, theirs = Talk(weft, one), Talk(str(peer), two)
        schema = Schema(theirs.ask("query-qmp-schema", {})["return"])
        faults = list(shape_faults(ours.greeting, theirs.greeting, "greeting"))
        for name, arguments in CASES:
            place = "%s %s" % (name, arguments)
            mine, other = ours.ask(name, arguments), theirs.ask(name, arguments)
            if "error" in other:
                if mine.get("error", {}).get("class") != other["error"]["class"]:
                    faults.append("%s: %s, QEMU's: %s" % (place, mine, other))
                continue
            if "return" not in mine:
                faults.append("%s: %s, QEMU has an answer" % (place, mine))
                continue
            faults += shape_faults(mine, other, place)
            faults += schema.missing(mine["return"], schema.entities[name]["ret-type"], place)
            if (name in SAME or arguments.get("command-line") in SAME_LINES) and mine != other:
                faults.append("%s: %s, QEMU's: %s" % (place, mine["return"], other["return"]))
        codes = ours.close(), theirs.close()
        if codes != (0, 0):
            faults.append("exit codes %s and %s" % codes)
        events = [[{key: event[key] for key in event if key != "timestamp"} for event in talk.events] for talk in (ours, theirs)]
        if events[0] != events[1]:
            faults.append("events %s, QEMU's: %s" % tuple(events))
        # What weft has, QEMU has: its clients know it.
        for name in known_commands(weft):
            if name not in schema.entities:
                faults.append("QEMU has no command %s" % name)
        for key in ("memory",):
            contents = [pathlib.Path(folder, key).read_bytes() for folder in (one, two)]
            if contents[0] != contents[1]:
                faults.append("the file of pmemsave: %r, QEMU's: %r" % tuple(contents))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def known_commands(weft):
    """The names of weft's commands, asked as libvirt does before it makes a machine."""
    command = [weft, "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", "none,accel=kvm:tcg", "-qmp", "stdio"]
    lines = "\n".join('{"execute": "%s"}' % name for name in ("qmp_capabilities", "query-commands", "quit"))
    done = subprocess.run(command, input=lines, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return [entry["name"] for entry in json.loads(done.stdout.splitlines()[2])["return"]]


if __name__ == "__main__":
    sys.exit(main())
