// Command lines by which others start qemu-system-riscv64, as shapes: what is accepted, and the line that says what is not. Files are
// not looked at.
#include <catch2/catch.hpp>

#include <cstring>
#include <vector>

#include "tests/system/parsed_options.h"

using namespace weft;
using namespace weft::sys;

namespace {

struct Line {
    const char* who;
    const char* words;              // with blanks between them; a word in quotes may hold some
    const char* message = nullptr;  // null: it is accepted
};

std::vector<std::string> words_of(const char* text) {
    std::vector<std::string> words;
    bool quoted = false;
    bool within = false;
    for (; *text != '\0'; ++text) {
        if (*text == '\'') {
            quoted = !quoted;
        } else if (*text == ' ' && !quoted) {
            within = false;
        } else {
            if (!within) {
                words.emplace_back();
                within = true;
            }
            words.back() += *text;
        }
    }
    return words;
}

std::string outcome(const Line& line) {
    const std::vector<std::string> words = words_of(line.words);
    std::vector<const char*> arguments;
    for (const std::string& word : words) {
        arguments.push_back(word.c_str());
    }
    const Result<Options> options = parse_options(arguments);
    return options ? "(accepted)" : options.error().message();
}

constexpr Line kLines[] = {
    // Kernels of courses, and real-time systems.
    {"xv6",
     "-machine virt -bios none -kernel kernel/kernel -m 128M -smp 3 -nographic -global "
     "virtio-mmio.force-legacy=false -drive file=fs.img,if=none,format=raw,id=x0 -device "
     "virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0"},
    {"xv6, make qemu-gdb", "-machine virt -bios none -kernel k -m 128M -smp 3 -nographic -S -gdb tcp::26000"},
    {"rCore",
     "-machine virt -nographic -bios rustsbi.bin -device loader,file=os.bin,addr=0x80200000 -drive "
     "file=fs.img,if=none,format=raw,id=x0 -device virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0"},
    {"OS in 1000 lines",
     "-machine virt -bios default -nographic -serial mon:stdio --no-reboot -d "
     "unimp,guest_errors,int,cpu_reset "
     "-D qemu.log -kernel kernel.elf"},
    {"NuttX", "-semihosting -M virt,aclint=on -cpu rv64 -smp 8 -bios none -kernel nuttx -nographic"},
    {"NuttX, console on a virtio line",
     "-nographic -M virt -bios none -kernel nuttx -chardev "
     "socket,telnet=on,host=127.0.0.1,port=3450,server=on,"
     "wait=off,id=con -device virtio-serial-device,bus=virtio-mmio-bus.0 -device virtconsole,chardev=con"},
    {"Zephyr",
     "-machine virt -bios none -m 256 -cpu rv64,pmp=on -nographic -pidfile qemu.pid -kernel zephyr.elf"},
    {"Zephyr with a clock of instructions",
     "-machine virt -bios none -m 256 -nographic -icount shift=6,align=off,sleep=off -rtc clock=vm -kernel "
     "z"},
    {"seL4", "-machine virt -cpu rv64 -nographic -m size=3072M -bios none -kernel image"},
    {"picolibc",
     "-machine virt -bios none -kernel x -nographic -semihosting-config enable=on,target=native,arg=x"},
    {"ACT4", "-nographic -semihosting -icount shift=1 -machine virt -cpu max -bios x.elf"},
    {"equal runs", "-nographic -icount shift=0 -machine virt -bios x.elf"},
    {"equal runs, as most have it", "-nographic -icount auto,sleep=on,align=off -machine virt -bios x.elf"},

    // Distributions.
    {"Debian's quick images",
     "-machine virt -cpu rv64 -m 1G -device virtio-blk-device,drive=hd -drive file=image.qcow2,if=none,id=hd "
     "-device virtio-net-device,netdev=net -netdev user,id=net,hostfwd=tcp::2222-:22 -bios fw_jump.elf "
     "-kernel "
     "uboot.elf -object rng-random,filename=/dev/urandom,id=rng -device virtio-rng-device,rng=rng -nographic "
     "-append 'root=LABEL=rootfs console=ttyS0'"},
    {"Ubuntu",
     "-machine virt -m 4G -smp 4 -nographic -bios fw_jump.bin -kernel u-boot.bin -device "
     "virtio-net-device,netdev=e "
     "-netdev user,id=e -device virtio-rng-pci -drive file=u.img,format=raw,if=virtio"},
    {"openEuler",
     "-nographic -machine virt,pflash0=pflash0,pflash1=pflash1,acpi=off -smp 8 -m 8G -blockdev "
     "node-name=pflash0,driver=file,read-only=on,filename=CODE.fd -blockdev node-name=pflash1,driver=file,"
     "filename=VARS.fd -drive file=o.qcow2,format=qcow2,id=hd0,if=none -object "
     "rng-random,filename=/dev/urandom,id=rng0 -device virtio-rng-device,rng=rng0 -device "
     "virtio-blk-device,drive=hd0,bootindex=1 -device virtio-net-device,netdev=usernet -netdev "
     "user,id=usernet,hostfwd=tcp::12055-:22"},
    {"openEuler with a screen", "-machine virt -device virtio-vga",
     "-device: unknown device 'virtio-vga' (-device help lists them)"},
    {"openEuler with USB", "-machine virt -usb", "-usb: there is no USB"},
    {"Haiku", "-machine virt -device qemu-xhci -device usb-tablet",
     "-device: unknown device 'qemu-xhci' (-device help lists them)"},
    {"OpenWrt",
     "-nographic -M virt -m 512M -bios fw_jump.elf -kernel u-boot.elf -drive "
     "if=pflash,unit=1,format=raw,file=f"},
    {"Buildroot without MMU",
     "-M virt -bios none -kernel Image -append root=/dev/vda -cpu rv64,mmu=off -nographic"},
    {"Lima",
     "-m 4096 -cpu rv64 -machine virt,acpi=off,accel=tcg -smp 4,sockets=1,cores=4,threads=1 -drive "
     "if=pflash,format=raw,readonly=on,file=code.fd -boot order=c,splash-time=0,menu=on -drive "
     "file=d.qcow2,if=virtio,discard=on -netdev user,id=net0,net=192.168.5.0/24,dhcpstart=192.168.5.15,"
     "hostfwd=tcp:127.0.0.1:60022-:22 -device virtio-net-pci,netdev=net0,mac=52:55:55:a0:b1:c2 -device "
     "virtio-rng-pci -display none -parallel none -chardev "
     "socket,id=char-serial,path=serial.sock,server=on,wait=off "
     "-serial chardev:char-serial -chardev socket,id=char-qmp,path=qmp.sock,server=on,wait=off -qmp "
     "chardev:char-qmp "
     "-name lima-x -pidfile qemu.pid"},
    {"libvirt, on PCI",
     "-name guest=a,debug-threads=on -S -object "
     "'{\"qom-type\":\"secret\",\"id\":\"masterKey0\",\"format\":\"raw\",\"file\":\"/k\"}' -machine "
     "virt,usb=off,dump-guest-core=off,memory-backend=ram0 -accel tcg -m 512 -object "
     "'{\"qom-type\":\"memory-backend-ram\",\"id\":\"ram0\",\"size\":536870912}' -overcommit mem-lock=off "
     "-smp "
     "2,sockets=2,cores=1,threads=1 -uuid 11111111-2222-3333-4444-555555555555 -display none -no-user-config "
     "-nodefaults -chardev socket,id=charmonitor,fd=24,server=on,wait=off -mon "
     "chardev=charmonitor,id=monitor,mode=control -rtc base=utc -no-shutdown -boot strict=on -device "
     "'{\"driver\":\"pcie-root-port\",\"port\":8,\"chassis\":1,\"id\":\"pci.1\",\"bus\":\"pcie.0\","
     "\"multifunction\":"
     "true,\"addr\":\"0x1\"}' -device "
     "'{\"driver\":\"pcie-root-port\",\"port\":9,\"chassis\":2,\"id\":\"pci.2\","
     "\"bus\":\"pcie.0\",\"addr\":\"0x1.0x1\"}' -blockdev "
     "'{\"driver\":\"file\",\"filename\":\"/d\",\"node-name\":"
     "\"libvirt-1-storage\",\"auto-read-only\":true,\"discard\":\"unmap\"}' -blockdev "
     "'{\"node-name\":\"libvirt-1-format\",\"read-only\":false,\"driver\":\"qcow2\",\"file\":\"libvirt-1-"
     "storage\","
     "\"backing\":null}' -device "
     "'{\"driver\":\"virtio-blk-pci\",\"bus\":\"pci.1\",\"addr\":\"0x0\",\"drive\":"
     "\"libvirt-1-format\",\"id\":\"virtio-disk0\",\"bootindex\":1}' -netdev "
     "'{\"type\":\"user\",\"id\":\"hostnet0\"}' "
     "-device "
     "'{\"driver\":\"virtio-net-pci\",\"netdev\":\"hostnet0\",\"id\":\"net0\",\"mac\":\"52:54:00:11:22:33\","
     "\"bus\":\"pci.2\",\"addr\":\"0x0\"}' -chardev pty,id=charserial0 -serial chardev:charserial0 -audiodev "
     "'{\"id\":\"audio1\",\"driver\":\"none\"}' -device virtio-balloon-device,id=balloon0 -msg timestamp=on"},
    {"libvirt with seccomp",
     "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
     "-sandbox: there is no filter of system calls ('off' is accepted)"},

    // Continuous integration.
    {"tuxrun",
     "-cpu rv64 -machine virt -nographic -nic none -m 4G -monitor none -no-reboot -smp 2 -kernel Image "
     "-append 'console=ttyS0 rootwait root=/dev/vda' -drive file=r.ext4,if=virtio,format=raw,id=hd0"},
    {"QEMU's own tests",
     "-display none -vga none -chardev socket,id=mon,fd=5 -mon chardev=mon,mode=control -machine virt "
     "-chardev "
     "socket,id=console,fd=10 -serial chardev:console -kernel Image -append 'printk.time=0 root=/dev/vda' "
     "-blockdev "
     "driver=raw,file.driver=file,file.filename=f,node-name=hd0 -device virtio-blk-device,drive=hd0"},
    {"kunit",
     "-nodefaults -m 1024 -kernel Image -append 'console=ttyS0 kunit_shutdown=reboot' -no-reboot -nographic "
     "-accel kvm -accel hvf -accel tcg -serial stdio -machine virt -cpu rv64 -bios opensbi.bin"},
    {"boot-utils",
     "-display none -nodefaults -bios default -M virt -append earlycon -kernel Image -initrd r -m 1G "
     "-serial mon:stdio"},
    {"syzkaller",
     "-m 2048 -smp 2 -chardev socket,id=SOCKSYZ,server=on,wait=off,host=localhost,port=5000 -mon "
     "chardev=SOCKSYZ,mode=control -display none -serial stdio -no-reboot -name VM-0 -device virtio-rng-pci "
     "-machine "
     "virt -cpu rv64,sv48=on -device virtio-net-pci,netdev=net0 -netdev "
     "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:10000-:22 -device virtio-blk-device,drive=hd0 -drive "
     "file=i,if=none,format=raw,id=hd0 -snapshot -kernel Image -append root=/dev/vda"},
    {"virtme-ng, its escape and its memory",
     "-machine virt,memory-backend=mem -m 1G -object memory-backend-memfd,id=mem,size=1G,share=on "
     "-cpu rv64 -bios default -echr 1 -serial none -vga none -display none -parallel none "
     "-no-reboot "
     "-qmp tcp:localhost:3636,server,nowait"},
    {"kvm-unit-tests",
     "-nodefaults -nographic -serial mon:stdio -machine virt -accel tcg -cpu max -kernel x.flat -smp 4 "
     "-append x -initrd env"},
    {"cross-rs",
     "-m 1G -smp 2 -nographic -monitor none -netdev user,id=net0,hostfwd=tcp::10022-:22 -device "
     "virtio-net-pci,netdev=net0 -kernel kernel -initrd initrd.gz -append console=ttyS0 -machine virt"},

    // One option each.
    {"several serial ports", "-serial stdio -serial null -serial pty -chardev null,id=c -serial chardev:c"},
    {"several serial ports, one of no line", "-serial null -serial chardev:x",
     "-serial: there is no chardev 'x'"},
    {"action", "-action reboot=shutdown,shutdown=pause,panic=none,watchdog=none"},
    {"action", "-action shutdown=reset", "-action: shutdown=reset is not supported (only poweroff|pause)"},
    {"rtc", "-rtc base=localtime,clock=vm,driftfix=slew"},
    {"rtc", "-rtc base=2020-02-29T12:34:56"},
    {"rtc", "-rtc base=2020-02-29"},
    {"rtc", "-rtc base=2020-02-30T",
     "-rtc: base is utc, localtime or a date YYYY-MM-DD[THH:MM:SS], not '2020-02-30T'"},
    {"rtc", "-rtc base=9999-01-01",
     "-rtc: base is utc, localtime or a date YYYY-MM-DD[THH:MM:SS], not '9999-01-01'"},
    {"rtc", "-rtc clock=moon", "-rtc: clock is host, rt or vm, not 'moon'"},
    {"icount", "-icount shift=0,align=on",
     "-icount: align=on is not supported: the guest's time does not wait for the host's"},
    {"icount", "-icount shift=0,rr=record,rrfile=f",
     "-icount: rr= is not supported: there is no recording of what comes from outside"},
    {"icount", "-icount 10,sleep=off -accel tcg -accel tcg,backend=interp"},
    {"icount", "-icount shift=11", "-icount: shift is a number from 0 to 10 or auto, not '11'"},
    {"icount", "-icount shift=-1", "-icount: shift is a number from 0 to 10 or auto, not '-1'"},
    {"icount", "-icount sleep=on", "-icount: needs shift=N"},
    {"icount", "-icount shift=1,wait=on",
     "-icount: unknown parameter 'wait' (there are shift, align and sleep)"},
    {"icount", "-icount auto,sleep=off",
     "-icount: shift=auto and sleep=off exclude each other: time that jumps is not near the host's"},
    {"icount", "-icount shift=1 -accel tcg,thread=multi", "-icount: excludes thread=multi of -accel"},
    {"echr", "-echr 20"},
    {"echr", "-echr 0", "-echr: '0' is no number of a control character (1 to 31; 1 is Ctrl-A)"},
    {"keyboard", "-k de"},
    {"numa", "-numa node,nodeid=0,cpus=0 -smp 1"},
    {"numa", "-numa node -numa node", "-numa: each of several nodes needs memdev=ID"},
    {"numa", "-object memory-backend-ram,id=m,size=64M -m 128M -numa node,memdev=m",
     "-numa: 'm' has 64M, and -m asks for 128M"},
    {"memory in a file, as virtiofsd and vhost-user want it",
     "-m 1G -object memory-backend-file,id=m,size=1G,mem-path=/dev/shm,share=on -numa node,memdev=m"},
    {"display", "-display gtk", "-display: 'gtk' is not supported: there is no display ('none' is accepted)"},
    {"display", "-display vnc=:0",
     "-display: 'vnc=:0' is not supported: there is no display ('none' is accepted)"},
    {"vnc", "-vnc :1", "-vnc: there is no display"},
    {"sound", "-audiodev pa,id=a",
     "-audiodev: 'pa' is not supported: there is no sound ('none' is accepted)"},
    {"smbios", "-smbios type=1,serial=x", "-smbios: there are no SMBIOS tables"},
    {"acpi", "-acpitable file=x", "-acpitable: there are no ACPI tables"},
    {"watchdog", "-watchdog i6300esb", "-watchdog: there is no watchdog"},
    {"readconfig", "-readconfig file", "-readconfig: options are given on the command line alone"},
    {"compat", "-compat deprecated-input=reject,unstable-output=hide"},
    {"compat", "-compat deprecated-input=no",
     "-compat: deprecated-input=no is not supported (only accept|reject|crash)"},
    {"run-with", "-run-with async-teardown=off"},
    {"run-with", "-run-with chroot=/x",
     "-run-with: unknown parameter 'chroot' (there are 'async-teardown', 'exit-with-parent')"},
    {"run-with", "-run-with exit-with-parent=on",
     "-run-with: exit-with-parent=on is not supported (only off)"},
    {"watchdog action", "-watchdog-action inject-nmi"},
    {"watchdog action", "-watchdog-action bark",
     "-watchdog-action: watchdog=bark is not supported (only "
     "reset|shutdown|poweroff|inject-nmi|pause|debug|none)"},
    {"further disks", "-hda a -hdb b -hdc c -hdd d"},
    {"floppy disks", "-fdb a", "-fdb: there is no floppy disk"},
    {"debug port", "-debugcon stdio", "-debugcon: there is no debug port"},
    {"state of machines", "-dump-vmstate f",
     "-dump-vmstate: saved machines have weft's own format (docs/saved-machines.md)"},
    {"iSCSI", "-iscsi user=x", "-iscsi: there are no disks over iSCSI"},
    {"only migratable", "-only-migratable",
     "-only-migratable: what cannot be saved says so when the machine is to be saved"},
    {"option ROM", "-option-rom f", "-option-rom: there are no option ROMs"},
    {"plugin", "-plugin libinsn.so", "-plugin: there are no plugins for instrumentation"},
    {"preconfig", "--preconfig", "-preconfig: the machine is made at once (-S: it does not run yet)"},
    {"seed", "-seed 1", "-seed: random numbers are the host's (with -icount they are the same in each run)"},
    {"set", "-set device.d.x=1", "-set: properties are given where a thing is made, or by -global"},
    {"shim", "-shim s.efi", "-shim: -kernel is run as it is; EDK2 may load a shim from a disk"},
    {"trace", "-trace virtio*", "-trace: there are no trace events (-d logs what happens)"},
    {"sync profile", "-enable-sync-profile", "-enable-sync-profile: the emulator's locks are not measured"},
    {"kvm", "-enable-kvm", "-enable-kvm: there is no KVM: guests are emulated (-accel tcg)"},
};

}  // namespace

TEST_CASE("command lines of others", "[options]") {
    for (const Line& line : kLines) {
        INFO(line.who << ": " << line.words);
        CHECK(outcome(line) == (line.message == nullptr ? "(accepted)" : line.message));
    }
}
