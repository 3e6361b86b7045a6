"""A root file system of Debian's with systemd, made of packages without running any of their programs, and without rights on the host.

What an installer and the packages' scripts would leave is written here: users, PAM's common files, dpkg's record of what is installed.
The rest systemd makes when it first starts (sysusers, tmpfiles, machine-id).
"""

import os
import pathlib
import shutil
import subprocess
import sys

from . import images

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
LABEL = "rootfs"
MIB = 900

FILES = {
    "etc/shadow": "root::20000:0:99999:7:::\n",
    "etc/fstab": "LABEL=%s / ext4 defaults 0 1\n" % LABEL,
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1\tlocalhost guest\n",
    "etc/machine-id": "",
    "etc/pam.d/common-auth": "auth required pam_unix.so nullok\n",
    "etc/pam.d/common-account": "account required pam_unix.so\n",
    "etc/pam.d/common-password": "password required pam_unix.so nullok\n",
    "etc/pam.d/common-session": "session required pam_unix.so\n",
    "etc/pam.d/common-session-noninteractive": "session required pam_unix.so\n",
    # The repository is a folder of the image; nothing is fetched.
    "etc/apt/sources.list": "deb [trusted=yes] file:/srv/repository ./\n",
    "etc/apt/apt.conf.d/90guest": 'APT::Sandbox::User "root";\n',
    "var/lib/dpkg/available": "",
    "var/lib/dpkg/info/format": "1\n",
}

# The kernel has neither the disk's driver nor the file system's in itself.
INIT = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for folder in /modules /root-modules; do
    while read -r module; do insmod $folder/$module; done <$folder/order
done
busybox mkdir /new
until [ -b /dev/vda ]; do busybox usleep 10000; done
mount -t ext4 /dev/vda /new
for folder in proc sys dev; do busybox mount -o move /$folder /new/$folder; done
exec busybox switch_root /new /sbin/init
"""


def installed(versions):
    """dpkg's record of the packages in lines "NAME VERSION"."""
    entry = ("Package: %s\nStatus: install ok installed\nMaintainer: Debian\nArchitecture: riscv64\nVersion: %s\n"
             "Description: unpacked\n")
    return "\n".join(entry % tuple(line.split()) for line in versions.splitlines())


def root_image(files, image):
    """ext4, with the packages of the set `debian` unpacked, and hello in a repository at /srv/repository."""
    source, root = files.guests / "debian", image.with_suffix(".tree")
    subprocess.run(["cp", "-a", "--reflink=auto", source, root], check=True)
    images.tree(root, FILES)
    for name in ("passwd", "group"):
        text = (source / ("usr/share/base-passwd/%s.master" % name)).read_text()
        (root / "etc" / name).write_text(text.replace("root:*:", "root:x:"))
    (root / "var/lib/dpkg/status").write_text(installed((source / ".packages").read_text()))
    (root / "var/lib/dpkg/info").mkdir(exist_ok=True)
    for line in (source / ".packages").read_text().splitlines():
        (root / "var/lib/dpkg/info" / (line.split()[0] + ".list")).write_text("/.\n")
    (root / ".packages").unlink()
    for folder in ("proc", "sys", "dev", "run", "tmp", "root", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/log"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/shadow").chmod(0o600)
    (root / "tmp").chmod(0o1777)
    shutil.copytree(files.guests / "hello", root / "srv/repository", dirs_exist_ok=True)
    # In a name space of its own the user's files are root's.
    images.ext4(image, root, MIB, LABEL, [] if os.geteuid() == 0 else ["unshare", "-r"])
    shutil.rmtree(root)


def initrd(files, path):
    """The initramfs of scripts/make-initramfs with another init and the modules of ext4."""
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    from benchlib import cpio
    modules = path.with_suffix(".modules")
    subprocess.run([sys.executable, "-B", SCRIPTS / "lib/kernel.py", "modules",
                    files.guests / "modules/usr/lib/modules" / files.release(), modules, "crc32c_generic", "ext4"], check=True, stdout=subprocess.DEVNULL)
    more = {"init": INIT.encode()}
    more.update({"root-modules/" + file.name: file.read_bytes() for file in modules.iterdir()})
    path.write_bytes(cpio.append(files.initrd.read_bytes(), more))
    shutil.rmtree(modules)


def check(image):
    """The file system was left in order; else OSError, with what e2fsck says."""
    images.run("e2fsck", "-fn", image)
