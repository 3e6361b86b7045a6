"""Each option that QEMU's -help lists is understood, or refused by a line that says what is missing.

  help_options_test.py EMULATOR

QEMU is that of WEFT_PEER_DIR (else the test is skipped). Nothing is started: each command line ends with an option that there is not, which is
refused where all before it is understood.
"""

import os
import re
import subprocess
import sys

SKIP = 77
END = "-no-such-option"
END_REFUSED = "unknown option '%s' (-help lists them)" % END

# A value that both take, where any text does not do; None: the option takes none.
VALUES = {
    "accel": "tcg", "action": "reboot=reset", "add-fd": "fd=3,set=1", "audiodev": "none,id=a", "blockdev": "driver=file,node-name=n,filename=f",
    "boot": "order=c", "chardev": "null,id=c", "compat": "deprecated-input=accept", "cpu": "rv64", "d": "int", "device": "virtio-rng-device",
    "display": "none", "drive": "if=none,id=d,file=f,format=raw", "echr": "20", "fsdev": "local,id=f,path=/,security_model=none", "fw_cfg": "name=opt/a,string=b",
    "global": "virtio-mmio.force-legacy=false", "icount": "shift=1", "incoming": "defer", "m": "128", "machine": "virt", "M": "virt",
    "mon": "chardev=c", "monitor": "none", "msg": "timestamp=on", "net": "none", "netdev": "user,id=n", "nic": "none", "numa": "node",
    "object": "rng-builtin,id=r", "overcommit": "mem-lock=off", "parallel": "none", "qmp": "null", "qmp-pretty": "null", "rtc": "base=utc",
    "run-with": "async-teardown=off", "sandbox": "off", "semihosting-config": "enable=on", "serial": "null", "smp": "2",
    "uuid": "11111111-2222-3333-4444-555555555555", "vga": "none", "virtfs": "local,path=/,mount_tag=t,security_model=none",
    "watchdog-action": "none", "gdb": "none",
    "S": None, "daemonize": None, "enable-kvm": None, "enable-sync-profile": None, "full-screen": None, "h": None, "jitdump": None,
    "mem-prealloc": None, "no-reboot": None, "no-shutdown": None, "no-user-config": None, "nodefaults": None, "nographic": None,
    "only-migratable": None, "perfmap": None, "preconfig": None, "s": None, "semihosting": None, "snapshot": None, "usb": None,
    "version": None, "help": None,
}
# What there is nothing for. All others have to be understood.
REFUSED = {
    "acpitable", "audio", "debugcon", "dump-vmstate", "enable-kvm", "enable-sync-profile", "fda", "fdb", "full-screen", "iscsi", "mtdblock",
    "only-migratable", "option-rom", "plugin", "preconfig", "readconfig", "sd", "seed", "set", "shim", "smbios", "spice", "tpmdev",
    "trace", "usb", "usbdevice", "vnc",
}


def options(peer):
    """The names in QEMU's text, without dashes."""
    text = subprocess.run([peer, "-help"], stdout=subprocess.PIPE, check=True).stdout.decode()
    names = set()
    for line in text.splitlines():
        if line.startswith("-"):
            names.update(re.findall(r"(?:^|/| or )--?(\w[\w-]*)", line))
    return names


def main():
    emulator = sys.argv[1]
    if not os.environ.get("WEFT_PEER_DIR"):
        print("skipped: WEFT_PEER_DIR is not set (scripts/fetch-peer gets QEMU)")
        return SKIP
    names = options(os.path.join(os.environ["WEFT_PEER_DIR"], "bin/qemu-system-riscv64"))
    faults = []
    if not {"machine", "h", "help", "fdb", "hdb", "preconfig", "watchdog-action"} <= names:
        faults.append("QEMU's text is not read right: %s" % sorted(names))
    for name in sorted(names):
        value = VALUES.get(name, "x")
        words = ["-" + name] + ([] if value is None else [value])
        with open(os.devnull) as spare:
            os.dup2(spare.fileno(), 3)  # -add-fd
            result = subprocess.run([emulator, *words, END], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    pass_fds=[3], check=False)
        said = result.stdout.decode(errors="replace").strip()
        understood = said.endswith(END_REFUSED)
        if result.returncode != 1 or said.count("\n") != 0 or "unknown option '-%s'" % name in said:
            faults.append("%s: exit code %d: %s" % (words, result.returncode, said))
        elif understood == (name in REFUSED):
            faults.append("%s: %s" % (words, said))
    print("%d options" % len(names))
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
