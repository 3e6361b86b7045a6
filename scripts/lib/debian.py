#!/usr/bin/env python3
"""Takes packages from the Debian archive without touching the machine's own apt state.

Every (suite, architecture) gets an apt configuration of its own under CACHE/apt: lists, archives and an empty dpkg
status, so that any suite and any architecture can be asked, by any user. Release files are verified with the Debian
archive keyring, packages with the hashes in them; both are apt's own checks and are never switched off.

  debian.py --cache DIR mirror                                  prints the mirror in use
  debian.py --cache DIR depends --suite S --arch A PACKAGE      prints what PACKAGE depends on, one name a line
  debian.py --cache DIR recorded --suite S --arch A --set NAME  prints the packages of the recorded set NAME that the
      archive still has in the recorded versions, one name a line
  debian.py --cache DIR fetch --suite S --arch A --set NAME [--closure] [--packed] [--record] --into DIR PACKAGE...
      unpacks the packages (with everything they depend on if --closure is given) into a new folder DIR and prints
      one line "PACKAGE VERSION" for each; with --packed DIR has the packages as files, with an index of them for apt

Versions and hashes of what was fetched last are recorded in scripts/lib/packages.list, in sets: see packages.py. --record
takes the newest and records it.
"""

import argparse
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import packages

KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")


Failure = packages.Failure


# --- the machine's mirror -------------------------------------------------------------------------------------------


def deb822_entries(text):
    """Yields (uris, suites, components, signed_by) of each active paragraph of a .sources file."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields = {}
        name = None
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                if name:
                    fields[name] += " " + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        yield (fields.get("uris", "").split(), fields.get("suites", "").split(), fields.get("components", "").split(),
               fields.get("signed-by", ""))


def one_line_entries(text):
    """Yields (uris, suites, components, signed_by) of each `deb` line of a .list file."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            options, uri, suite, components = match.groups()
            signed = re.search(r"(?:^|\s)signed-by=(\S+)", options or "")
            yield [uri], [suite], components.split(), signed.group(1) if signed else ""


def machine_mirrors(etc, codename):
    """The mirrors of the Debian archive proper in the apt configuration `etc`, likeliest first."""
    ranked = []
    files = [etc / "sources.list"] + sorted((etc / "sources.list.d").glob("*"))
    for file in files:
        parse = {".list": one_line_entries, ".sources": deb822_entries}.get(file.suffix)
        if not parse or not file.is_file():
            continue
        for uris, suites, components, signed_by in parse(file.read_text(errors="replace")):
            # Not the security archive, no third party's archive: those have other suites or other components.
            if "main" not in components or not {codename, "stable", "oldstable", "oldoldstable"} & set(suites):
                continue
            for uri in uris:
                if uri.startswith("cdrom:"):
                    continue
                # Third parties use Debian's code names too; these two tell them apart. A wrong guess cannot do harm,
                # since nothing but Debian's signature is accepted.
                rank = (signed_by != "" and "debian-archive" not in signed_by,
                        not re.search(r"/debian/?$|/mirrors/debian\.list$|/archive/debian/", uri))
                ranked.append((rank, uri))
    return [uri for _, uri in sorted(ranked, key=lambda pair: pair[0])]


def find_mirror():
    codename = ""
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            codename = line.split("=", 1)[1].strip().strip('"')
    mirrors = machine_mirrors(pathlib.Path("/etc/apt"), codename)
    if not mirrors:
        raise Failure("found no entry for the Debian archive in /etc/apt/sources.list or /etc/apt/sources.list.d; "
                      "name a mirror with --mirror URL")
    return mirrors[0]


# --- a private apt --------------------------------------------------------------------------------------------------


class Archive:
    """apt for one suite and one architecture, with state of its own."""

    def __init__(self, cache, mirror, suite, arch):
        if not KEYRING.is_file():
            raise Failure(f"{KEYRING} is missing; run scripts/deps first")
        self.name = f"{suite}-{arch}"
        self.home = cache / "apt" / self.name
        self.debs = cache / "apt" / self.name / "debs"
        self.updated = False
        for folder in ("lists/partial", "cache/archives/partial", "debs"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        # Held until the process ends: scripts that fetch at the same time take turns.
        self.lock = open(self.home / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        (self.home / "status").write_text("")
        options = f"arch={arch} signed-by={KEYRING}"
        if suite in ("sid", "unstable"):
            # A mirror may hold an index of sid past its date; the signature is checked all the same.
            options += " check-valid-until=no"
        (self.home / "sources.list").write_text(f"deb [{options}] {mirror} {suite} main\n")
        # Read after the machine's configuration, so that its proxies stay in force.
        (self.home / "apt.conf").write_text(f'''\
Dir::State "{self.home}";
Dir::State::lists "{self.home}/lists";
Dir::State::status "{self.home}/status";
Dir::Cache "{self.home}/cache";
Dir::Etc::sourcelist "{self.home}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
#clear APT::Architectures;
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Default-Release "";
APT::Sandbox::User "root";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
APT::Get::Show-User-Simulation-Note "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
''')

    def run(self, *command):
        """Runs an apt tool with this configuration; returns its output."""
        full = [command[0], "-q", "-c", str(self.home / "apt.conf"), *command[1:]]
        environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        environment.pop("APT_CONFIG", None)
        result = subprocess.run(full, cwd=self.debs, env=environment, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if result.returncode != 0:
            reasons = [line for line in result.stderr.splitlines() if line.startswith("E:")] or \
                (result.stderr + result.stdout).strip().splitlines()[-5:]
            raise Failure(f"{command[0]} {command[1]} for {self.name} failed:\n  " + "\n  ".join(reasons))
        return result.stdout

    def update(self):
        if not self.updated:
            progress(f"reading the package lists of {self.name}")
            self.run("apt-get", "update")
            self.updated = True

    def depends(self, package):
        """The names in PACKAGE's Depends field, first alternatives only."""
        self.update()
        text = self.run("apt-cache", "show", "--no-all-versions", package)
        match = re.search(r"^Depends: (.*)$", text, re.MULTILINE)
        return [re.split(r"[ :(|]", item.strip())[0] for item in match.group(1).split(",")] if match else []

    def available(self, package):
        """The versions of PACKAGE that the archive has, newest first; none if it does not know the package."""
        self.update()
        # `show` fails for unknown names, `policy` does not.
        return re.findall(r"^     (\S+) \d+$", self.run("apt-cache", "policy", package), re.MULTILINE)

    def versions(self, names, closure, recorded):
        """The (name, version) pairs that fetching `names` means. Of single packages, the `recorded` versions where the
        archive still has them; what apt would install where they come with all that they depend on."""
        self.update()
        if closure:
            text = self.run("apt-get", "--simulate", "--no-install-recommends", "install", *names)
            return re.findall(r"^Inst (\S+) \((\S+) ", text, re.MULTILINE)
        pairs = []
        for name in names:
            versions = self.available(name)
            if not versions:
                raise Failure(f"the archive has no package {name} for {self.name}")
            wanted = recorded[name].version if name in recorded else ""
            pairs.append((name, wanted if wanted in versions else versions[0]))
        return pairs

    def fetch(self, names, closure, into, recorded, check, packed=False):
        """Downloads and unpacks, unless they are to stay `packed`; `into` appears complete or not at all. Returns a
        packages.Entry for each package, by name, after `check` has seen them."""
        pairs = self.versions(names, closure, recorded)
        progress(f"downloading {len(pairs)} packages of {self.name}")
        # `download` takes what is in the folder already if its hash is right.
        self.run("apt-get", "download", *(f"{name}={version}" for name, version in pairs))
        into.parent.mkdir(parents=True, exist_ok=True)
        work = pathlib.Path(tempfile.mkdtemp(prefix=f".{into.name}.", dir=into.parent))
        try:
            work.chmod(0o755)
            files = {}
            for name, version in pairs:
                found = list(self.debs.glob(f"{name}_{version.replace(':', '%3a')}_*.deb"))
                if len(found) != 1:
                    raise Failure(f"apt-get download left no single file for {name} {version} in {self.debs}")
                files[name] = found[0]
            entries = {name: packages.Entry(version, packages.sha256(files[name])) for name, version in pairs}
            check(entries)
            if packed:
                progress(f"moving to {into}")
                (work / "Packages").write_text("".join(
                    index_entry(files[name], entries[name].sha256) for name, _ in pairs))
                for name, _ in pairs:
                    shutil.move(files[name], work)
            else:
                progress(f"unpacking into {into}")
                for name, _ in pairs:
                    subprocess.run(["dpkg-deb", "-x", str(files[name]), str(work)], check=True)
            if into.exists():
                shutil.rmtree(into)
            work.rename(into)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        shutil.rmtree(self.debs)
        return entries


def index_entry(file, sha256):
    """What a repository's Packages says of one package (https://wiki.debian.org/DebianRepository/Format)."""
    control = subprocess.run(["dpkg-deb", "-f", str(file)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return f"{control}Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {sha256}\n\n"


def progress(text):
    print(f"debian: {text}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description="packages from the Debian archive, with a private apt state")
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--mirror", default="", help="default: the one in the machine's apt sources")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("mirror")
    for name in ("depends", "recorded", "fetch"):
        command = commands.add_parser(name)
        command.add_argument("--suite", required=True)
        command.add_argument("--arch", required=True)
        if name != "depends":
            command.add_argument("--set", required=True)
        if name == "fetch":
            command.add_argument("--closure", action="store_true")
            command.add_argument("--packed", action="store_true")
            command.add_argument("--record", action="store_true")
            command.add_argument("--into", type=pathlib.Path, required=True)
        if name != "recorded":
            command.add_argument("packages", nargs="+" if name == "fetch" else 1)
    arguments = parser.parse_args()

    mirror = arguments.mirror or find_mirror()
    if arguments.command == "mirror":
        print(mirror)
        return
    archive = Archive(arguments.cache.resolve(), mirror, arguments.suite, arguments.arch)
    if arguments.command == "depends":
        print("\n".join(archive.depends(arguments.packages[0])))
        return
    record = packages.read(packages.RECORD)
    recorded = record.get(arguments.set, {})
    if arguments.command == "recorded":
        for name, entry in recorded.items():
            if entry.version in archive.available(name):
                print(name)
        return

    def check(entries):
        if not arguments.record:
            packages.check_hashes(recorded, entries)

    entries = archive.fetch(arguments.packages, arguments.closure, arguments.into.resolve(),
                            {} if arguments.record else recorded, check, arguments.packed)
    if arguments.record:
        record[arguments.set] = entries
        packages.write(packages.RECORD, record)
        progress(f"recorded {len(entries)} packages of {arguments.set} in {packages.RECORD.name}")
    elif difference := packages.difference(recorded, entries):
        progress(f"the archive has moved on from {packages.RECORD.name}, the newest is taken: {difference}")
    for name, entry in entries.items():
        print(name, entry.version)


if __name__ == "__main__":
    try:
        main()
    except (Failure, subprocess.CalledProcessError, OSError) as failure:
        sys.exit(f"debian: {failure}")
